"""What people read about a merge. The first line of a note is also the mark by which a repeated run knows its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from functions.shared.crm import FieldValue, Lead, Task
from functions.shared.department import Department
from functions.shared.merge import Merge

_TEXTS = {
    "ru": {
        "merging_off": "объединение выключено",
        "none_running": "другие его сделки закрыты или сами ждут объединения",
        "survivor_gone": "второй сделки больше нет",
        "survivor_closed": "вторая сделка уже закрыта",
        "duplicate_gone": "сделку удалили",
        "duplicate_closed": "сделку уже закрыли",
        "duplicate_moved": "сделку тем временем перевели на другой этап",
        "undone": "это объединение отменил человек",
        "circle": "сделки указывают друг на друга",
        "given_up": "сделку тем временем изменил человек",
        "not_taken": "amoCRM не принимает изменения: {why}",
        "from": "Из сделки #{lead}, {when}",
        "survivor_head": "Conveyor, {when}: сюда объединена сделка #{lead}",
        "duplicate_head": "Conveyor, {when}: сделка объединена со сделкой #{lead}",
        "undone_head": "Conveyor: объединение сделки #{duplicate} со сделкой #{survivor} от {when} отменено",
        "part": " (часть {number})",
        "identity": "{url}, «{name}», создана {created}. Основание: {why}.",
        "goes_on": "Работа продолжается там: {url}. Контакты, задачи, примечания, теги и поля перенесены.",
        "answered": "Объединено: {url}",
        "reason_lost": "Причину отказа «{reason}» записать не удалось: в amoCRM её нет.",
        "same_contact": "один и тот же контакт",
        "phone": "совпал телефон",
        "email": "совпала почта",
        "person": "так решил менеджер",
        "differing": "Здесь уже другое значение, поэтому осталось только в этом примечании:",
        "fields_refused": "amoCRM не принял значения полей, поэтому они только в этом примечании:",
        "not_linked": "Не удалось привязать: {what}.",
        "contact": "контакт #{id}",
        "company": "компания",
        "price": "бюджет",
        "done_tasks": "Выполненные задачи:",
        "task": "{when}: {task}",
        "task_result": "{when}: {task} → {result}",
        "task_left": "Задачу из сделки #{lead} перенести не удалось: {task} (срок {when})",
        "yes": "да",
        "no": "нет",
        "restored": "Сделка #{duplicate} снова в работе. Перенесённые примечания остаются в обеих сделках.",
    },
    "en": {
        "merging_off": "merging is switched off",
        "none_running": "their other leads are closed or wait to be merged themselves",
        "survivor_gone": "the other lead does not exist any more",
        "survivor_closed": "the other lead is closed already",
        "duplicate_gone": "the lead was deleted",
        "duplicate_closed": "the lead is closed already",
        "duplicate_moved": "the lead was moved to another stage meanwhile",
        "undone": "a person has undone this merge",
        "circle": "the leads point at each other",
        "given_up": "a person has changed the lead meanwhile",
        "not_taken": "Kommo does not take the changes: {why}",
        "from": "From lead #{lead}, {when}",
        "survivor_head": "Conveyor, {when}: lead #{lead} was merged into this one",
        "duplicate_head": "Conveyor, {when}: this lead was merged into lead #{lead}",
        "undone_head": "Conveyor: the merge of lead #{duplicate} into lead #{survivor} of {when} was undone",
        "part": " (part {number})",
        "identity": "{url}, “{name}”, created {created}. Because: {why}.",
        "goes_on": "Work goes on there: {url}. Contacts, tasks, notes, tags and fields went over.",
        "answered": "Merged: {url}",
        "reason_lost": "The loss reason “{reason}” could not be set: Kommo does not have it.",
        "same_contact": "the same contact",
        "phone": "the same phone",
        "email": "the same e-mail",
        "person": "a manager decided so",
        "differing": "Another value stands here already, so these are kept in this note only:",
        "fields_refused": "Kommo refused these values, so they are kept in this note only:",
        "not_linked": "Could not be linked: {what}.",
        "contact": "contact #{id}",
        "company": "company",
        "price": "budget",
        "done_tasks": "Completed tasks:",
        "task": "{when}: {task}",
        "task_result": "{when}: {task} → {result}",
        "task_left": "A task of lead #{lead} could not be brought over: {task} (due {when})",
        "yes": "yes",
        "no": "no",
        "restored": "Lead #{duplicate} is in work again. Notes that were brought over stay on both leads.",
    },
}

DUPLICATE = "duplicate"
"""Key of the loss reason of a merged lead."""

LONGEST_NOTE = 10_000
"""Characters; amoCRM names no limit, but nobody reads more in its narrow column. The rest becomes a further note."""

DATES = frozenset({"date", "birthday"})
"""Custom fields that hold a day, as midnight of the account's zone in Unix seconds (amoCRM API: custom fields)."""


def say(department: Department, text: str, **values: object) -> str:
    return _TEXTS[department.language][text].format(**values)


def lead_url(base_url: str, lead_id: int) -> str:
    return f"{base_url}/leads/detail/{lead_id}"


@dataclass(frozen=True)
class Words:
    """The texts of one department; `base_url` is the account's, https://firm.amocrm.ru."""

    department: Department
    base_url: str

    def say(self, text: str, **values: object) -> str:
        return say(self.department, text, **values)

    def when(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.department.timezone):%d.%m.%Y %H:%M}"

    def person(self, user_id: int) -> str:
        """A manager's name; empty for robots and people who are no members."""
        members = (team.member(user_id) for team in self.department.teams)
        return next((member.name for member in members if member), "")

    # -- heads: what a note begins with, alone on its first line --------------------------------------------------

    def survivor_head(self, merge: Merge) -> str:
        return self.say("survivor_head", when=self.when(merge.at), lead=merge.duplicate_id)

    def duplicate_head(self, merge: Merge) -> str:
        return self.say("duplicate_head", when=self.when(merge.at), lead=merge.survivor_id)

    def undone_head(self, merge: Merge) -> str:
        ids = {"duplicate": merge.duplicate_id, "survivor": merge.survivor_id}
        return self.say("undone_head", when=self.when(merge.at), **ids)

    def part(self, number: int) -> str:
        """What stands behind the head of a note that did not fit into one."""
        return self.say("part", number=number)

    # -- bodies -----------------------------------------------------------------------------------------------------

    def identity(self, merge: Merge, duplicate: Lead) -> str:
        """Which lead it was, and why it is the same client's."""
        url, created = lead_url(self.base_url, duplicate.id), self.when(duplicate.created_at)
        return self.say("identity", url=url, name=duplicate.name, created=created, why=self.say(merge.why.value))

    def goes_on(self, merge: Merge) -> str:
        """On the duplicate: where to look now."""
        return self.say("goes_on", url=lead_url(self.base_url, merge.survivor_id))

    def answered(self, merge: Merge) -> str:
        """The result of a task that the merge answers."""
        return self.say("answered", url=lead_url(self.base_url, merge.survivor_id))

    def reason_lost(self) -> str:
        return self.say("reason_lost", reason=self.department.called(f"reason.{DUPLICATE}"))

    def company(self, company_id: int) -> str:
        return f"{self.base_url}/companies/detail/{company_id}"

    def done_task(self, task: Task) -> str:
        kind, when = "task_result" if task.result else "task", self.when(task.complete_till)
        return self.say(kind, when=when, task=task.text, result=task.result)

    def field(self, filled: FieldValue) -> str:
        return (
            f"{filled.name or filled.field_id}: {', '.join(self._value(filled.kind, each) for each in filled.values)}"
        )

    def _value(self, kind: str, value: Mapping[str, Any]) -> str:
        """As people write it; an object (a file, a legal entity) whole, for nothing of it may be lost."""
        plain = value.get("value")
        if isinstance(plain, bool):
            return self.say("yes" if plain else "no")
        if isinstance(plain, int) and kind in {*DATES, "date_time"}:
            moment = datetime.fromtimestamp(plain, UTC).astimezone(self.department.timezone)
            return f"{moment:%d.%m.%Y}" if kind in DATES else f"{moment:%d.%m.%Y %H:%M}"
        return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def bullets(head: str, lines: Sequence[str]) -> list[str]:
    return [head, *(f"– {line}" for line in lines)] if lines else []


def in_parts(head: str, lines: Sequence[str], numbered: Callable[[int], str]) -> list[str]:
    """Notes of at most LONGEST_NOTE characters (or one line): each begins with the head, from the second on with its
    number behind it."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if parts[-1] and sum(len(each) + 1 for each in parts[-1]) + len(line) > LONGEST_NOTE:
            parts.append([])
        parts[-1].append(line)
    heads = [head, *(head + numbered(number) for number in range(2, len(parts) + 1))]
    return ["\n".join((head, *lines)) for head, lines in zip(heads, parts, strict=True)]
