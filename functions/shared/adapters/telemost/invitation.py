"""An invitation as every mail program understands it: iCalendar by e-mail (RFC 5545, RFC 5546). Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from functions.shared.adapters.telemost.kept import Kept

if TYPE_CHECKING:
    from icalendar import Calendar

_WORDS = {"REQUEST": "", "CANCEL": "Отменено: "}


def message(kept: Kept, method: str, sender: str, to: tuple[str, ...], now: datetime) -> EmailMessage:
    """The mail to these guests; `method` is REQUEST, for a new or a changed meeting, or CANCEL."""
    mail = EmailMessage()
    mail["Subject"] = _WORDS[method] + kept.title
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail.set_content(f"{kept.title}\n{kept.link}\n\n{kept.description}\n")
    content = calendar(kept, method, sender, now).to_ical().decode()
    mail.add_alternative(content, subtype="calendar", params={"method": method})
    return mail


def calendar(kept: Kept, method: str, sender: str, now: datetime) -> Calendar:
    """One event, known for good by its UID; a higher SEQUENCE replaces a lower one. Its times are by the wall clock of
    the zone, whose rules come along (VTIMEZONE), so that a series keeps its hour when the clocks change."""
    from icalendar import Calendar, Event, vCalAddress, vRecur, vText

    zone = ZoneInfo(kept.zone)
    start = kept.start.astimezone(zone)
    event = Event()
    event.add("uid", f"{kept.id}@conveyor")
    event.add("sequence", kept.sequence)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("summary", kept.title)
    event.add("description", f"{kept.link}\n\n{kept.description}")
    event.add("location", kept.link)
    event.add("url", kept.link)
    event.add("dtstart", start)
    event.add("dtend", start + timedelta(minutes=kept.minutes))
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    if kept.recurrence is not None:
        names = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
        event.add("rrule", vRecur({"freq": "weekly", "byday": [names[day] for day in sorted(kept.recurrence.days)]}))
        for day in sorted(kept.recurrence.skips):
            event.add("exdate", datetime.combine(day, start.time(), zone))
    event["organizer"] = vCalAddress(f"mailto:{sender}")
    for guest in kept.attendees:
        address = vCalAddress(f"mailto:{guest.email}")
        address.params["cn"] = vText(guest.name or guest.email)
        address.params["rsvp"] = vText("TRUE")
        event.add("attendee", address, encode=False)
    result = Calendar()
    result.add("prodid", "-//Conveyor//Meetings//EN")
    result.add("version", "2.0")
    result.add("method", method)
    result.add_component(event)
    result.add_missing_timezones()
    return result
