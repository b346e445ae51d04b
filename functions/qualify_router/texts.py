"""What people read on the cards. Texts depend on the stored decision and on the lead as read: a text is also the mark
by which a repeated run recognises its own task and note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from functions.shared.channels import channel_name
from functions.shared.crm import FieldValue, Lead
from functions.shared.department import LOST_STAGE, WON_STAGE, Department, Place
from functions.shared.lead_state import Decision, Step

_TEXTS = {
    "ru": {
        "moved": "Conveyor: «{seen}» → «{to}».",
        "crossed": "Conveyor: сделку перевели вручную из «{seen}» в «{pipeline}».",
        "closed": "Conveyor: сделка закрыта, причина «{reason}».",
        "closed_plain": "Conveyor: сделка закрыта. Причину «{reason}» записать не удалось: в amoCRM её нет.",
        "restored": "Conveyor: сделка возвращена в «{to}»: её перевели туда вручную в ту же секунду, решает человек.",
        "answer": "Итог квалификации: {answer}.",
        "passport": "Что известно. {facts}",
        "owner": "Ответственный был: {owner}",
        "source": "Источник: {source}",
        "copied": "Conveyor: продолжение в «{pipeline}»: {url}",
        "copy": "Conveyor: клиент пришёл из сделки {url}.",
        "sold_again": "Conveyor: клиент купил ещё раз: {url}",
        "newcomer": "Новая карточка клиента в «{pipeline}»: связаться и договориться о следующем шаге",
        "parked": "Сделка ходит по кругу: {count} переходов за час. Conveyor остановил её в «{place}»: "
        "проверьте автоматизацию amoCRM и маршруты, затем переведите сделку сами.",
        "refused": "amoCRM не принимает переход «{seen}» → «{to}»: {why}. Если этап или причину удалили, "
        "поправьте department.yaml и выполните conveyor apply; сделка ждёт здесь.",
        "suggest": "Похоже на дубль: {others}. {why} Если это тот же клиент, переведите сделку в «{stage}» "
        "(или верните её туда ещё раз).",
        "by_hand": "Похоже на дубль: {others}. Если это тот же клиент, объедините сделки вручную («Объединить» в "
        "списке сделок): перевод на этап их не объединит, потому что их уже разъединяли или клиентов несколько.",
        "unsure": "Совпал контакт, телефон или почта, но имя другое или контакт не основной.",
        "asked_for": "Объединение выполняется только по вашему решению.",
        "no_survivor": "Идущая сделка этого клиента не найдена ({why}). "
        "Объедините вручную или верните сделку в работу.",
        "over_ceiling": "Достигнут дневной предел объединений ({count}). Сделка не объединена: "
        "проверьте, всё ли в порядке.",
        "not_merged": "Объединить не удалось: {why}. Проверьте обе сделки.",
        "won": "Успешно реализовано",
        "lost": "Закрыто и не реализовано",
        "no_contact": "ни один контакт не совпал",
    },
    "en": {
        "moved": "Conveyor: “{seen}” → “{to}”.",
        "crossed": "Conveyor: somebody moved the lead from “{seen}” to “{pipeline}” by hand.",
        "closed": "Conveyor: the lead is closed, reason “{reason}”.",
        "closed_plain": "Conveyor: the lead is closed. The reason “{reason}” could not be set: it is not in Kommo.",
        "restored": "Conveyor: the lead is back in “{to}”: somebody moved it there in that very second; people decide.",
        "answer": "Qualification result: {answer}.",
        "passport": "What is known. {facts}",
        "owner": "Responsible until now: {owner}",
        "source": "Source: {source}",
        "copied": "Conveyor: goes on in “{pipeline}”: {url}",
        "copy": "Conveyor: the client comes from lead {url}.",
        "sold_again": "Conveyor: the client has bought again: {url}",
        "newcomer": "New card of a client in “{pipeline}”: get in touch and agree on the next step",
        "parked": "The lead runs in circles: {count} moves within an hour. Conveyor has stopped it in “{place}”: "
        "check Kommo's automation and the routes, then move it yourself.",
        "refused": "Kommo does not take the move “{seen}” → “{to}”: {why}. If the stage or the reason was deleted, "
        "correct department.yaml and run conveyor apply; the lead waits here.",
        "suggest": "Looks like a duplicate: {others}. {why} If it is the same client, move the lead to “{stage}” "
        "(or once more, if it stands there).",
        "by_hand": "Looks like a duplicate: {others}. If it is the same client, merge the leads by hand (“Merge” in "
        "Kommo's list of leads): moving the card will not, for they were separated before or are several clients'.",
        "unsure": "A contact, phone or e-mail is the same, but the name differs or it is not the main contact.",
        "asked_for": "Leads are merged only when you decide so.",
        "no_survivor": "No running lead of this client was found ({why}). Merge by hand or take the lead up again.",
        "over_ceiling": "The day's ceiling of merges ({count}) is reached. The lead was not merged: "
        "is everything in order?",
        "not_merged": "The merge did not work: {why}. Check both leads.",
        "won": "Closed - won",
        "lost": "Closed - lost",
        "no_contact": "no contact matches",
    },
}

MOST_FACTS = 20
LONGEST_FACT = 300
"""A note is read in a narrow column; what is longer stands on the card itself."""


@dataclass(frozen=True)
class Words:
    """All texts of one department; `base_url` is the account's, https://firm.amocrm.ru."""

    department: Department
    base_url: str

    def url(self, lead_id: int) -> str:
        return f"{self.base_url}/leads/detail/{lead_id}"

    def note(
        self, decision: Decision, lead: Lead, *, handed_over: bool, owner: int, channel: str, without_reason: bool
    ) -> str | None:
        """The note on the card that the step is about; None for steps that say nothing. `owner` had it until now."""
        match decision.step:
            case Step.MOVE:
                parts = [self._say("moved", seen=self._full(decision.seen), to=self._full(decision.to))]
            case Step.RESTORE:
                parts = [self._say("restored", to=self._full(decision.to))]
            case Step.CROSS if handed_over:
                seen = self.department.pipeline_of(decision.before.role).name if decision.before else "?"
                parts = [self._say("crossed", seen=seen, pipeline=self._pipeline(decision.to))]
            case Step.CLOSE:
                reason = self.department.called(f"reason.{decision.reason}")
                parts = [self._say("closed_plain" if without_reason else "closed", reason=reason)]
            case _:
                return None
        if decision.answer:
            parts.append(self.answered(decision))
        if handed_over:
            parts.append(self.passport(lead, owner, channel))
        return " ".join(parts)

    def passport(self, lead: Lead, owner: int, channel: str) -> str:
        """What the next manager should know: who had the lead, where it came from, what was asked and answered."""
        facts = [self._say("owner", owner=self._name(owner))] if owner else []
        came_by = channel_name(channel, self.department.language)
        facts += [self._say("source", source=source)] if (source := came_by or ", ".join(lead.tags)) else []
        skipped = (self.department.answer_field, self.department.origin_field)
        filled = [(each.name, _shown(each)) for each in lead.fields if each.field_id not in skipped]
        facts += [f"{name}: {value}" for name, value in filled if value][:MOST_FACTS]
        return self._say("passport", facts="; ".join(facts) + ".")

    def copied(self, decision: Decision, copy: int) -> str:
        """On the card that goes on elsewhere."""
        return self._say("copied", pipeline=self._pipeline(decision.to), url=self.url(copy))

    def copy(self, lead: Lead, owner: int, channel: str) -> str:
        """On the new card."""
        return f"{self._say('copy', url=self.url(lead.id))} {self.passport(lead, owner, channel)}"

    def answered(self, decision: Decision) -> str:
        """The result of the task that asked."""
        return self._say("answer", answer=self.department.called(f"answer.{decision.answer}"))

    def sold_again(self, lead: Lead) -> str:
        return self._say("sold_again", url=self.url(lead.id))

    def newcomer(self, place: Place | None) -> str:
        return self._say("newcomer", pipeline=self._pipeline(place))

    def parked(self, place: Place) -> str:
        return self._say("parked", count=self.department.hop_limit, place=self._full(place))

    def refused(self, decision: Decision, why: str) -> str:
        return self._say("refused", seen=self._full(decision.seen), to=self._full(decision.to), why=why)

    def merge_by_hand(self, others: Sequence[int]) -> str:
        return self._say("by_hand", others=", ".join(self.url(other) for other in others))

    def suggest(self, others: Sequence[int], *, unsure: bool, stage: Place | None) -> str:
        named = ", ".join(self.url(other) for other in others)
        why = self._say("unsure" if unsure else "asked_for")
        return self._say("suggest", others=named, why=why, stage=self._full(stage))

    def no_survivor(self, why: str) -> str:
        return self._say("no_survivor", why=why or self._say("no_contact"))

    def over_ceiling(self) -> str:
        return self._say("over_ceiling", count=self.department.merging.per_day)

    def not_merged(self, why: str) -> str:
        return self._say("not_merged", why=why)

    def _say(self, text: str, **values: object) -> str:
        return _TEXTS[self.department.language][text].format(**values)

    def _full(self, place: Place | None) -> str:
        """«Биржа лидов: Квалифицирован»"""
        if place is None:
            return "?"
        closing = {WON_STAGE: "won", LOST_STAGE: "lost"}.get(place.stage)
        stage = self._say(closing) if closing else self.department.called(place)
        return f"{self._pipeline(place)}: {stage}"

    def _pipeline(self, place: Place | None) -> str:
        return self.department.pipeline_of(place.role).name if place else "?"

    def _name(self, user_id: int) -> str:
        members = (team.member(user_id) for team in self.department.teams)
        return next((member.name for member in members if member), str(user_id))


def asks_about(text: str, url: str) -> bool:
    """Whether this is the text of a task that asks whether a lead and the one at this address are the same client's, or
    that found no such lead."""
    if text.startswith(_heads("no_survivor")):
        return True
    return text.startswith(_heads("suggest")) and re.search(rf"{re.escape(url)}(?!\d)", text) is not None


def _heads(text: str) -> tuple[str, ...]:
    """How it begins, in every language: the department's may have changed since."""
    return tuple(texts[text].partition("{")[0] for texts in _TEXTS.values())


def _shown(value: FieldValue) -> str:
    """The values as people see them, shortened."""
    texts = [str(each["value"]) for each in value.values if each.get("value") not in (None, "", {}, [])]
    return ", ".join(texts)[:LONGEST_FACT]
