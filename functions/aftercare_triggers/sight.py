"""What all clients of one run are judged by: the department, the book of rules, and the scene. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from functions.aftercare_triggers.rules.calendar import WorkingDays
from functions.aftercare_triggers.rules.clocks import local_date
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.scene import Scene
from functions.aftercare_triggers.watermark import Watermarks
from functions.shared.care import Client, Feed, RuleBook
from functions.shared.department import AFTERCARE, Department, Member, Team
from functions.shared.facts import CONTACTED, PROFILE_UPDATED, Fact
from functions.shared.hours import WorkingHours

_ANY_TIME = WorkingHours.parse("24/7")
"""Of a manager who is in no team: the head."""


@dataclass(frozen=True)
class Sight:
    """`rules` are the book's, read."""

    department: Department
    book: RuleBook
    rules: Sequence[Rule]
    feeds: Mapping[str, Feed] = field(repr=False)
    now: datetime

    @cached_property
    def scene(self) -> Scene:
        """The draw of the arms needs no secret, only a key that stays the account's own."""
        marks = Watermarks.of(self.book.feeds, self.feeds, self.department.timezone, self.now)
        key = f"holdout:{self.department.account_id}".encode()
        return Scene(marks, WorkingDays(self.book.holidays, self.book.work_days), key)

    @property
    def team(self) -> Team:
        """Who cares for clients."""
        return self.department.team_of_pipeline(AFTERCARE)

    @property
    def today(self) -> date:
        """The department's date."""
        return local_date(self.now, self.department.timezone)

    def rule(self, rule_id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def zone_of(self, client: Client) -> ZoneInfo:
        """His own, else his manager's, else the department's."""
        own = _zone(client.zone)
        manager = self.team.member(client.manager)
        return own or (manager.timezone if manager else self.department.timezone)

    def zone_of_manager(self, user_id: int) -> ZoneInfo:
        member = self.member(user_id)
        return member.timezone if member else self.department.timezone

    def due_till(self, rule: Rule, manager: int, client: Client) -> datetime:
        """The deadline of a task that this manager gets now."""
        member = self.member(manager)
        hours = member.hours if member else _ANY_TIME
        zone = self.zone_of(client)
        return self.scene.days.due_till(
            rule.action.due_after, hours, self.zone_of_manager(manager), rule.window, zone, self.now
        )

    def person(self, client: Client, facts: Sequence[Fact], read_from: datetime | None) -> Person:
        times = [fact.time for fact in facts] + ([client.first_at] if client.first_at else [])
        zone = self.zone_of(known(client, facts))
        return Person.of(client.id, zone, facts, self.now, min(times, default=None), read_from)

    def member(self, user_id: int) -> Member | None:
        return next((found for team in self.department.teams if (found := team.member(user_id))), None)


def known(client: Client, facts: Collection[Fact]) -> Client:
    """His row with the zone that his profile tells of last."""
    told = [fact for fact in facts if fact.type == PROFILE_UPDATED and _zone(str(fact.data.get("zone") or ""))]
    newest = max(told, key=lambda fact: (fact.time, fact.received), default=None)
    return client if newest is None else _with_zone(client, str(newest.data["zone"]))


def is_contacted(client: Client, person: Person) -> bool:
    """Whether somebody has called him, or written to him, since his task was set."""
    task = client.open_task
    return task is not None and bool(person.at_hand({CONTACTED}, person.watermark, task.set_at))


def _with_zone(client: Client, zone: str) -> Client:
    return replace(client, zone=zone)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError):
        return None
