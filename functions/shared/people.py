"""Who somebody is in the department. Pure."""

from __future__ import annotations

from itertools import chain

from functions.shared.department import Department, Member, Team

_OUTSIDE = {"ru": "сотрудник вне команд (id {user_id})", "en": "somebody outside the teams (id {user_id})"}


def member_of(department: Department, team: Team, user_id: int) -> Member | None:
    """The user as a member of this team, else of any: a client's manager may be of another team than his new lead."""
    members = (each.member(user_id) for each in (team, *department.teams))
    return next((member for member in members if member), None)


def known_name(department: Department, user_id: int) -> str | None:
    """What the department calls a member or the duty person of any team; None for everybody else."""
    members = (member.name for team in department.teams if (member := team.member(user_id)))
    on_duty = (team.duty_name for team in department.teams if team.duty == user_id and team.duty_name)
    return next(chain(members, on_duty), None)


def name_of(department: Department, user_id: int) -> str:
    """The same for people to read: whom the department does not know (the head, a robot) has his amoCRM id only."""
    return known_name(department, user_id) or _OUTSIDE[department.language].format(user_id=user_id)


def known_member(department: Department, user_id: int) -> Member | None:
    """The user as a member of whatever team."""
    return next((member for team in department.teams if (member := team.member(user_id))), None)
