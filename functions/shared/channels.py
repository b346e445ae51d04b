"""Which channel a lead came through: the second book of the fairness rule, and what a manager may be limited to.

The firm's own rules come first, in their order, then the preset; the first rule that matches wins.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from functions.shared.crm import Lead, UnsortedItem
from functions.shared.department import ChannelRule

WHATSAPP, TELEGRAM, INSTAGRAM, VK, AVITO = "whatsapp", "telegram", "instagram", "vk", "avito"
CALL, SITE, MAIL, CHAT, OTHER = "call", "site", "mail", "chat", "other"
CHANNELS = (WHATSAPP, TELEGRAM, INSTAGRAM, VK, AVITO, CALL, SITE, MAIL, CHAT, OTHER)
"""The preset's channels; a firm's rules may add others."""


_NAMES = {"ru": {SITE: "сайт", CALL: "звонок", MAIL: "почта", CHAT: "чат", OTHER: "другое"}}
"""Those of the built-in channels that are no names of products."""


def _rule(
    channel: str,
    categories: Collection[str] = (),
    services: Collection[str] = (),
    source_names: Collection[str] = (),
    tags: Collection[str] = (),
) -> ChannelRule:
    return ChannelRule(
        channel, frozenset(categories), frozenset(services), frozenset(), frozenset(source_names), frozenset(tags)
    )


# Services as amoCRM names its own channels (waba is WhatsApp's Business API, amocrmwa and amocrmig the marketplace's
# WhatsApp Lite and Instagram); channels of other vendors are called amo.ext.<number>, so their display name must do.
# What the request says of itself (service, category) goes before names and tags, which people make up.
PRESET = (
    _rule(WHATSAPP, services={"whatsapp", "waba", "amocrmwa"}),
    _rule(TELEGRAM, services={"telegram"}),
    _rule(INSTAGRAM, services={"instagram", "amocrmig"}),
    _rule(VK, services={"vk", "vkontakte"}),
    _rule(AVITO, services={"avito"}),
    _rule(CALL, categories={"sip"}),
    _rule(SITE, categories={"forms"}),
    _rule(MAIL, categories={"mail"}),
    _rule(WHATSAPP, source_names={"whatsapp", "ватсап"}, tags={"whatsapp", "ватсап"}),
    _rule(TELEGRAM, source_names={"telegram", "телеграм"}, tags={"telegram", "телеграм"}),
    _rule(INSTAGRAM, source_names={"instagram", "инстаграм"}, tags={"instagram", "инстаграм"}),
    _rule(VK, source_names={"vk", "вк", "вконтакте"}, tags={"vk", "вк", "вконтакте"}),
    _rule(AVITO, source_names={"avito", "авито"}, tags={"avito", "авито"}),
    _rule(CALL, tags={"call", "звонок"}),
    _rule(SITE, tags={"site", "сайт"}),
    _rule(MAIL, tags={"mail", "почта"}),
    _rule(CHAT, categories={"chats"}, tags={"chat", "чат"}),
)


def channel_of(lead: Lead, item: UnsortedItem | None, rules: tuple[ChannelRule, ...]) -> str:
    """The channel of a lead by its item of «Неразобранное» (None when it never was there), tags and source."""
    return next((rule.channel for rule in (*rules, *PRESET) if _matches(rule, lead, item)), OTHER)


def channel_name(channel: str, language: str) -> str:
    """What people read: a firm's own channels are called as it calls them."""
    return _NAMES.get(language, {}).get(channel, channel)


def _matches(rule: ChannelRule, lead: Lead, item: UnsortedItem | None) -> bool:
    if lead.source_id in rule.source_ids or _folded(lead.tags) & _folded(rule.tags):
        return True
    return item is not None and (
        item.category.casefold() in _folded(rule.categories)
        or any(_says(_service(item), service) for service in _folded(rule.services))
        or any(_says(item.source_name, name) for name in _folded(rule.source_names))
    )


def _service(item: UnsortedItem) -> str:
    """The messenger; a chat's uid names it too (amojo:telegram:54ca…) where the service is missing."""
    return item.service or (item.source_uid if item.category == "chats" else "")


def _says(text: str, phrase: str) -> bool:
    """Does `phrase` stand in `text` as whole words? `vk` is in «Лиды из VK», not in «vkusno.example»."""
    return f" {_words(phrase)} " in f" {_words(text)} "


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _folded(values: Collection[str]) -> set[str]:
    return {value.casefold() for value in values}
