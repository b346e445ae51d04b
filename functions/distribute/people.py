"""Who somebody is in the department. Pure."""

from __future__ import annotations

from functions.shared.department import Department, Member, Team


def member_of(department: Department, team: Team, user_id: int) -> Member | None:
    """The user as a member of this team, else of any: a client's manager may be of another team than his new lead."""
    members = (each.member(user_id) for each in (team, *department.teams))
    return next((member for member in members if member), None)


def name_of(department: Department, team: Team, user_id: int) -> str:
    member = member_of(department, team, user_id)
    if member:
        return member.name
    return team.duty_name if user_id == team.duty and team.duty_name else str(user_id)
