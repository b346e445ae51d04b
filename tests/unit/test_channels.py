from __future__ import annotations

from datetime import UTC, datetime

import pytest

from functions.shared.channels import CHANNELS, PRESET, channel_name, channel_of
from functions.shared.crm import Lead, UnsortedItem
from functions.shared.department import ChannelRule

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def lead(*tags: str, source_id: int | None = None) -> Lead:
    return Lead(1, 10, 11, 0, NOW, NOW, source_id=source_id, tags=tags)


def item(category: str, service: str = "", source_name: str = "", source_uid: str = "") -> UnsortedItem:
    return UnsortedItem("a1", 1, 10, category, service, source_name, source_uid)


@pytest.mark.parametrize(
    ("request_", "channel"),
    [
        (item("chats", "telegram", "AICHATTESTBOT"), "telegram"),
        (item("chats", "waba", "Окна Плюс"), "whatsapp"),
        (item("chats", "com.amocrm.amocrmwa"), "whatsapp"),
        (item("chats", "amochats.whatsapp"), "whatsapp"),
        (item("chats", "instagram_business"), "instagram"),
        (item("chats", "com.amocrm.amocrmig"), "instagram"),
        (item("chats", "VK"), "vk"),
        (item("chats", "avito"), "avito"),
        (item("chats", "amo.ext.29036377", "WhatsApp +7 900 000-00-01"), "whatsapp"),
        (item("chats", "", "", "amojo:telegram:54caee02-e383-46d8-a9b7-1fb43f07cffe"), "telegram"),
        (item("chats", "onlinechat", "Чат на сайте"), "chat"),
        (item("chats", "amo.ext.1", "vkusno.example"), "chat"),
        (item("sip"), "call"),
        (item("mail"), "mail"),
        (item("forms", source_name="Лендинг для Instagram"), "site"),
        (item("forms", source_uid="vk-landing"), "site"),
        (item("fax"), "other"),
    ],
)
def test_the_preset_knows_the_channels_of_incoming_requests(request_: UnsortedItem, channel: str) -> None:
    assert channel_of(lead(), request_, ()) == channel


@pytest.mark.parametrize(
    ("tags", "channel"),
    [(("WhatsApp",), "whatsapp"), (("vip", "Сайт"), "site"), (("звонок",), "call"), (("чат",), "chat"), ((), "other")],
)
def test_a_lead_without_a_request_is_known_by_its_tags(tags: tuple[str, ...], channel: str) -> None:
    assert channel_of(lead(*tags), None, ()) == channel


def test_what_the_request_is_goes_before_a_tag() -> None:
    assert channel_of(lead("сайт"), item("sip"), ()) == "call"


@pytest.mark.parametrize(
    "rule",
    [
        ChannelRule("partners", source_ids=frozenset({77})),
        ChannelRule("partners", source_names=frozenset({"Дилер Юг"})),
        ChannelRule("partners", tags=frozenset({"ПАРТНЁР"})),
        ChannelRule("partners", services=frozenset({"Telegram"})),
        ChannelRule("partners", categories=frozenset({"chats"})),
    ],
)
def test_a_rule_of_the_firm_goes_before_the_preset(rule: ChannelRule) -> None:
    request_ = item("chats", "telegram", "Бот: дилер  юг, Ростов")
    assert channel_of(lead("партнёр", source_id=77), request_, (rule,)) == "partners"


def test_the_first_of_two_matching_rules_wins() -> None:
    rules = (ChannelRule("vip", tags=frozenset({"vip"})), ChannelRule("calls", categories=frozenset({"sip"})))
    assert channel_of(lead("VIP"), item("sip"), rules) == "vip"
    assert channel_of(lead("VIP"), item("sip"), rules[::-1]) == "calls"


def test_a_rule_without_a_match_leaves_the_preset() -> None:
    assert channel_of(lead(), item("sip"), (ChannelRule("partners", source_ids=frozenset({77})),)) == "call"


def test_the_preset_uses_only_its_own_channels() -> None:
    assert {rule.channel for rule in PRESET} | {"other"} == set(CHANNELS)


def test_every_channel_that_is_no_product_has_a_name_in_russian() -> None:
    products = {"whatsapp", "telegram", "instagram", "vk", "avito"}
    assert {channel for channel in CHANNELS if channel_name(channel, "ru") == channel} == products
    assert {channel_name(channel, "en") for channel in CHANNELS} == set(CHANNELS)


def test_a_channel_of_the_firm_is_called_as_it_calls_it() -> None:
    assert channel_name("дилеры", "ru") == channel_name("дилеры", "en") == "дилеры"
