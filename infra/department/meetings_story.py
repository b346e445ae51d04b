"""The department's meetings told in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from functions.shared.hours import DAYS, day_ranges
from functions.shared.meeting_plan import Provider, Standup
from infra.department.meetings import Calls, Meetings
from infra.department.wording import Wording

_DAYS = {"ru": ("пн", "вт", "ср", "чт", "пт", "сб", "вс"), "en": DAYS}


def meeting_lines(wording: Wording, meetings: Meetings) -> Iterator[str]:
    """Each stand-up with who is invited, the calls with clients, then what holds for all of them."""
    say = wording.say
    for standup in meetings.standups:
        yield _standup(wording, standup)
    if meetings.calls:
        yield _calls(wording, meetings.calls)
        if meetings.calls.place:
            yield _calls_of_stage(wording, meetings.calls)
    yield say(f"s_host_{meetings.provider.value}", host=meetings.host)
    if meetings.out_of_office and meetings.provider is Provider.GOOGLE:
        yield say("s_out_of_office")


def days_at(standup: Standup, language: str) -> str:
    """`пн-пт 09:15`"""
    days = day_ranges(sorted(standup.days), _DAYS[language]).replace(",", ", ")
    return f"{days} {standup.at:%H:%M}"


def _invited(wording: Wording, standup: Standup) -> str:
    return ", ".join(member.email for member in wording.file.spec.teams[standup.team].members)


def _standup(wording: Wording, standup: Standup) -> str:
    return wording.say(
        "s_standup",
        name=standup.name,
        team=standup.team,
        when=days_at(standup, wording.language),
        zone=standup.zone.key,
        length=_length(wording, standup.minutes, is_recorded=standup.is_recorded),
        invited=_invited(wording, standup),
    )


def _calls(wording: Wording, calls: Calls) -> str:
    length = _length(wording, calls.minutes, is_recorded=calls.is_recorded)
    told = wording.say("s_calls", task=calls.task_type, length=length, field=calls.link_field)
    zone = wording.say("s_calls_zone", field=calls.zone_field) if calls.zone_field else ""
    return f"{told}{zone}"


def _calls_of_stage(wording: Wording, calls: Calls) -> str:
    assert calls.place is not None and calls.field is not None, "both or none"
    names = {"pipeline": wording.pipeline(calls.place.role), "stage": wording.stage(calls.place)}
    return wording.say("s_calls_stage", **names, field=calls.field)


def _length(wording: Wording, minutes: int, *, is_recorded: bool) -> str:
    length = wording.duration(timedelta(minutes=minutes))
    return wording.say("s_recorded", length=length) if is_recorded else length
