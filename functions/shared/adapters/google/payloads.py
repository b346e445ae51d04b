"""Between our records and the JSON of Google Calendar v3. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from functions.shared.meetings import Answer, Attendee, Booked, LinkState, Meeting, MeetingChange, Recurrence

Json = dict[str, Any]

KEY = "conveyorKey"
"""The private property that says which meeting an event is; guests do not see it."""

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_HARMLESS = {"WKST": None, "INTERVAL": "1"}
"""Parts of a rule that Google may add, and that change nothing."""


def event_of(meeting: Meeting, event_id: str, *, with_conference: bool) -> Json:
    """The body of an insert."""
    body: Json = {
        "id": event_id,
        "summary": meeting.title,
        "description": meeting.description,
        **_times(meeting.start, meeting.minutes, meeting.zone),
        "attendees": [_attendee(each) for each in meeting.attendees],
        "guestsCanModify": False,
        "guestsCanInviteOthers": False,
        "extendedProperties": {"private": {KEY: meeting.key}},
    }
    if meeting.source:
        body["source"] = {"title": "amoCRM", "url": meeting.source}
    if meeting.recurrence:
        body["recurrence"] = recurrence_lines(meeting.recurrence, meeting.start, meeting.zone)
    if with_conference:
        body["conferenceData"] = conference_request(event_id)
    return body


def conference_request(request_id: str) -> Json:
    """Ask for a Meet link; the same id asks for the same one."""
    key = {"type": "hangoutsMeet"}
    return {"createRequest": {"requestId": request_id, "conferenceSolutionKey": key}}


def change_of(change: MeetingChange) -> Json:
    """The body of a PATCH: what is not in it stays, a day beside a new time too if it is not taken out, but an array
    that is in it replaces the whole array (RFC 7396)."""
    body: Json = {}
    if change.title is not None:
        body["summary"] = change.title
    if change.start is not None:
        assert change.minutes is not None and change.zone is not None, "a time is whole"
        times = _times(change.start, change.minutes, change.zone)
        body |= {name: {"date": None, **moment} for name, moment in times.items()}
        if change.recurrence is not None and change.recurrence.days:
            body["recurrence"] = recurrence_lines(change.recurrence, change.start, change.zone)
    if change.attendees is not None:
        body["attendees"] = [_attendee(each) for each in change.attendees]
    return body


def recurrence_lines(recurrence: Recurrence, start: datetime, zone: ZoneInfo) -> list[str]:
    """RFC 5545: a rule, and the days left out as the moments at which the series would begin."""
    days = ",".join(DAYS[day] for day in sorted(recurrence.days))
    lines = [f"RRULE:FREQ=WEEKLY;BYDAY={days}"]
    if recurrence.skips:
        at = start.astimezone(zone).time()
        moments = (datetime.combine(day, at) for day in sorted(recurrence.skips))
        lines.append(f"EXDATE;TZID={zone.key}:{','.join(f'{moment:%Y%m%dT%H%M%S}' for moment in moments)}")
    return lines


def booked_from(event: Mapping[str, Any]) -> Booked:
    """An event as Google shows it; of a deleted one only the id is certain."""
    start, zone = _moment(event.get("start"))
    end, _ = _moment(event.get("end"))
    link, state = _link(event)
    private = (event.get("extendedProperties") or {}).get("private") or {}
    original, _ = _moment(event.get("originalStartTime"))
    return Booked(
        id=str(event["id"]),
        version=str(event.get("etag") or ""),
        key=str(private.get(KEY) or ""),
        title=str(event.get("summary") or ""),
        start=start,
        minutes=round((end - start) / timedelta(minutes=1)) if start and end else 0,
        zone=zone,
        attendees=tuple(_attendee_from(each) for each in event.get("attendees") or []),
        recurrence=recurrence_from(event.get("recurrence") or [], zone),
        is_cancelled=event.get("status") == "cancelled",
        link=link,
        link_state=state,
        code=str((event.get("conferenceData") or {}).get("conferenceId") or ""),
        series=str(event.get("recurringEventId") or ""),
        original_start=original,
    )


def recurrence_from(lines: Iterable[str], zone: str) -> Recurrence | None:
    """None for a single event; a rule of another kind than ours has no days, nor has one with days added by hand."""
    rules: list[dict[str, str]] = []
    skips: set[date | None] = set()
    is_ours = True
    for line in lines:
        head, _, value = line.partition(":")
        name, _, options = head.partition(";")
        if name == "RRULE":
            rules.append(dict(part.split("=", 1) for part in value.split(";") if "=" in part))
        elif name == "EXDATE":
            origin = dict(part.split("=", 1) for part in options.split(";") if "=" in part).get("TZID", zone)
            skips |= {_day(text, origin, zone) for text in value.split(",")}
        else:
            is_ours = False  # RDATE, EXRULE
    if is_ours and not rules:
        return None
    days = _weekdays(rules) if is_ours else frozenset[int]()
    return Recurrence(days, frozenset(filter(None, skips)))


def _weekdays(rules: list[dict[str, str]]) -> frozenset[int]:
    (rule, *others) = rules
    parts = {key: value for key, value in rule.items() if key not in ("FREQ", "BYDAY")}
    is_ours = all(key in _HARMLESS and _HARMLESS[key] in (None, value) for key, value in parts.items())
    days = rule.get("BYDAY", "").split(",")
    if others or not is_ours or rule.get("FREQ") != "WEEKLY" or not all(day in DAYS for day in days):
        return frozenset()
    return frozenset(DAYS.index(day) for day in days)


def _day(text: str, origin: str, zone: str) -> date | None:
    """The day by the wall clock of the series, of a day, or a moment in UTC or by the clock of `origin`."""
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    there, here = moment.tzinfo or _zone(origin), _zone(zone)
    if "T" in text and there and here:
        moment = moment.replace(tzinfo=there).astimezone(here)
    return moment.date()


def _times(start: datetime, minutes: int, zone: ZoneInfo) -> Json:
    """Wall-clock times with their zone: a series needs it, and keeps its hour when the clocks change."""
    end = start + timedelta(minutes=minutes)
    return {name: {"dateTime": _local(moment, zone), "timeZone": zone.key} for name, moment in _both(start, end)}


def _both(start: datetime, end: datetime) -> tuple[tuple[str, datetime], ...]:
    return ("start", start), ("end", end)


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="seconds")


def _attendee(attendee: Attendee) -> Json:
    """With all that stands of him: a PATCH replaces the whole list, and nobody shall be asked again."""
    body: Json = {"email": attendee.email, "responseStatus": attendee.answer.value}
    if attendee.name:
        body["displayName"] = attendee.name
    if attendee.comment:
        body["comment"] = attendee.comment
    if attendee.is_optional:
        body["optional"] = True
    if attendee.companions:
        body["additionalGuests"] = attendee.companions
    return body


def _attendee_from(body: Mapping[str, Any]) -> Attendee:
    answer = body.get("responseStatus") or Answer.NONE.value
    known = Answer(answer) if answer in {each.value for each in Answer} else Answer.NONE
    email = str(body.get("email") or "").casefold()
    return Attendee(
        email,
        str(body.get("displayName") or ""),
        known,
        str(body.get("comment") or ""),
        is_optional=body.get("optional") is True,
        companions=int(body.get("additionalGuests") or 0),
    )


def _moment(given: Mapping[str, Any] | None) -> tuple[datetime | None, str]:
    """(UTC, zone) of a start or an end; a whole day begins at its midnight."""
    given = given or {}
    zone = str(given.get("timeZone") or "")
    if given.get("dateTime"):
        moment = datetime.fromisoformat(str(given["dateTime"]))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=_zone(zone) or UTC)
        return moment.astimezone(UTC), zone
    if given.get("date"):
        day = date.fromisoformat(str(given["date"]))
        return datetime.combine(day, time(), _zone(zone) or UTC).astimezone(UTC), zone
    return None, zone


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _link(event: Mapping[str, Any]) -> tuple[str, LinkState]:
    """`hangoutLink` first, then the video entry point; while it is being made there is neither."""
    data = event.get("conferenceData") or {}
    points = [point for point in data.get("entryPoints") or [] if point.get("entryPointType") == "video"]
    link = str(event.get("hangoutLink") or (points[0].get("uri") if points else "") or "")
    if link:
        return link, LinkState.READY
    status = ((data.get("createRequest") or {}).get("status") or {}).get("statusCode")
    if status == "pending":
        return "", LinkState.PENDING
    return "", LinkState.FAILED if status == "failure" else LinkState.NONE
