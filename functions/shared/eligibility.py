"""Who can take a lead now, and by which rule the others cannot. Pure: reads nothing, decides nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum

from functions.shared.assignment import TeamLedger
from functions.shared.crm import User
from functions.shared.department import Member, Team


class Rule(StrEnum):
    """Why a member is not in the eligible set. The first rule that holds is the one that is told."""

    UNKNOWN_USER = "unknown_user"
    SWITCHED_OFF = "switched_off"
    NO_RIGHTS = "no_rights"
    PAUSED = "paused"
    ABSENT = "absent"
    OFF_SHIFT = "off_shift"
    CHANNEL = "channel"
    MAX_OPEN = "max_open"
    MAX_PER_DAY = "max_per_day"


def obstacles(team: Team, users: Mapping[int, User], absent: Collection[int], now: datetime) -> dict[int, Rule]:
    """Members who cannot take any lead at `now`, with the rule; whoever is missing can.

    `users` are amoCRM's users by id as they are now, `absent` the ids of those who are away.
    """
    found = {member.user_id: _obstacle(member, users.get(member.user_id), absent, now) for member in team.members}
    return {user_id: rule for user_id, rule in found.items() if rule}


def _obstacle(member: Member, user: User | None, absent: Collection[int], now: datetime) -> Rule | None:
    if user is None:
        return Rule.UNKNOWN_USER
    if not user.is_active:
        return Rule.SWITCHED_OFF
    if not user.may_edit_leads:
        return Rule.NO_RIGHTS
    if member.paused:
        return Rule.PAUSED
    if member.user_id in absent:
        return Rule.ABSENT
    if not member.hours.is_open(now, member.timezone):
        return Rule.OFF_SHIFT
    return None


def duty(team: Team, users: Mapping[int, User], absent: Collection[int]) -> int | None:
    """The duty person's user id, if the team has one who can work; the hours of a shift do not bind him."""
    user = users.get(team.duty or 0)
    return user.id if user and user.is_active and user.may_edit_leads and user.id not in absent else None


def refusals(team: Team, hindered: Mapping[int, Rule], ledger: TeamLedger, channel: str) -> dict[int, Rule]:
    """Members who cannot take a lead of this channel with this ledger: `hindered` (see obstacles), and the caps."""
    found = {member.user_id: hindered.get(member.user_id) or _cap(member, ledger, channel) for member in team.members}
    return {user_id: rule for user_id, rule in found.items() if rule}


def _cap(member: Member, ledger: TeamLedger, channel: str) -> Rule | None:
    if member.channels and channel not in member.channels:
        return Rule.CHANNEL
    if member.max_open is not None and ledger.open.get(member.user_id, 0) >= member.max_open:
        return Rule.MAX_OPEN
    if member.max_per_day is not None and ledger.given.get(member.user_id, 0) >= member.max_per_day:
        return Rule.MAX_PER_DAY
    return None
