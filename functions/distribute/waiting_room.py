"""When to look again at a lead that nobody can take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from functions.shared.absence import Absence
from functions.shared.department import Member, Team
from functions.shared.eligibility import Rule

CAP_CHECK = timedelta(minutes=5)
"""Somebody at his cap closes a deal at any time and nothing tells us."""

PEOPLE_CHECK = timedelta(minutes=15)
"""A switched-off user or a missing right is mended by a person in amoCRM; nothing tells us either."""

FILE_CHECK = timedelta(days=1)
"""A pause and the channels of a member stand in the department's file, and a new version wakes whoever waits."""


def next_check(
    team: Team, refused: Mapping[int, Rule], absences: Iterable[Absence], now: datetime, zone: ZoneInfo
) -> datetime:
    """The earliest moment at which somebody of the team may be able to take the lead; `zone` is the department's."""
    absences = list(absences)
    checks = [_check(member, refused[member.user_id], absences, now, zone) for member in team.members]
    return min(checks, default=now + PEOPLE_CHECK)


def _check(member: Member, rule: Rule, absences: list[Absence], now: datetime, zone: ZoneInfo) -> datetime:
    if rule is Rule.OFF_SHIFT:
        return member.hours.next_opening(now, member.timezone)
    if rule is Rule.ABSENT:
        ends = [absence.end for absence in absences if absence.user_id == member.user_id and absence.covers(now)]
        return member.hours.next_opening(max(ends, default=now), member.timezone)
    if rule is Rule.MAX_OPEN:
        return now + CAP_CHECK
    if rule is Rule.MAX_PER_DAY:
        midnight = (now.astimezone(zone) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return member.hours.next_opening(midnight, member.timezone)
    if rule in (Rule.CHANNEL, Rule.PAUSED):
        return now + FILE_CHECK
    return now + PEOPLE_CHECK


def reason(refused: Mapping[int, Rule]) -> str:
    """The rules in the way, for people and for the event: `absent+off_shift`."""
    return "+".join(sorted({rule.value for rule in refused.values()})) or "no_members"
