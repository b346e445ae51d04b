"""Is the calendar in order? One check after the other, each with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from functions.meet_scheduler.standup_plan import standup_key
from functions.shared.department import Department
from functions.shared.errors import MeetingsError, MeetingsUnavailable, NotConfigured
from functions.shared.meeting_plan import MeetingPlan, Provider
from functions.shared.meeting_state import MeetingState
from functions.shared.meetings import RecordingState, Span
from functions.shared.ports import MeetingProvider

NOWHERE = "spaces/nowhere"


@dataclass(frozen=True)
class Check:
    """`is_right` None: nothing is wrong, but somebody should know."""

    name: str
    is_right: bool | None
    words: str


def examine(
    department: Department,
    plan: MeetingPlan,
    provider: MeetingProvider,
    states: dict[str, MeetingState],
    now: datetime,
) -> Iterator[Check]:
    """All checks, in the order in which their remedies help. `states` are the stand-ups' by key."""
    calendar = _tried("calendar", f"{plan.provider}, host {plan.host}", lambda: provider.changes(None))
    yield calendar
    if calendar.is_right:
        yield from _of_people(department, plan, provider, now)
        yield _tried("recordings", "can be read", lambda: provider.conferences(NOWHERE, Span(now, now)))
    for standup in plan.standups:
        state = states.get(standup_key(department.subdomain, standup))
        yield _standup(f"stand-up «{standup.name}» of {standup.team}", state, standup.is_recorded)


def _of_people(department: Department, plan: MeetingPlan, provider: MeetingProvider, now: datetime) -> Iterator[Check]:
    emails = sorted({member.email for team in department.teams for member in team.members})
    span = Span(now, now + timedelta(days=1))
    hidden = [email for email, spans in provider.busy(emails, span).items() if spans is None]
    if plan.provider is Provider.TELEMOST:
        yield Check("busy times", None, "Telemost has no calendars: conflicts, answers and absences are not seen")
        return
    remedy = "share their calendars with the host (see only free/busy), or correct the e-mails in department.yaml"
    yield Check("busy times", None if hidden else True, _hidden(hidden, remedy) or f"{len(emails)} calendars are seen")
    if plan.out_of_office:
        unseen = [email for email in emails if provider.away(email, span) is None]
        remedy = "a service account with domain-wide delegation sees them, a refresh token of the host does not"
        yield Check(
            "out of office", None if unseen else True, _hidden(unseen, remedy) or f"{len(emails)} calendars are read"
        )


def _hidden(emails: list[str], remedy: str) -> str:
    return f"not seen: {', '.join(emails)}; {remedy}" if emails else ""


def _standup(name: str, state: MeetingState | None, is_recorded: bool) -> Check:
    if state is None or (state.wanted is not None and not state.event_id):
        return Check(name, False, "not booked yet: the next tick, within five minutes, does it")
    if state.kept == ("deleted",):
        return Check(name, None, "a person deleted the series: change its line in department.yaml to have it back")
    if is_recorded and state.recording == RecordingState.REFUSED.value:
        words = "booked, but the plan of the host or its rights do not allow recordings (Business Standard and up do)"
        return Check(name, None, words)
    if state.kept:
        return Check(name, None, f"booked; a person changed {', '.join(state.kept)} in the calendar, which stands")
    if not state.link:
        return Check(name, None, "booked without a video link: does the host's domain allow Google Meet?")
    return Check(name, True, "booked, as department.yaml says")


def _tried(name: str, words: str, ask: Callable[[], object]) -> Check:
    try:
        ask()
    except (MeetingsError, NotConfigured) as error:
        return Check(name, False, str(error))
    except MeetingsUnavailable as error:
        return Check(name, False, f"{error}: try again in a while")
    return Check(name, True, words)
