"""What writes do to events (Google Calendar API: events)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from infra.local.google_simulator import conferences, problems, times
from infra.local.google_simulator.model import Event, Json, Notification, Token
from infra.local.google_simulator.views import exceptions, generated, zone_name
from infra.local.google_simulator.world import GoogleWorld

_ID = re.compile(r"[0-9a-v]{5,1024}")
_EMAIL = re.compile(r"[^@\s,;<>]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-zА-Яа-я]{2,}")
ANSWERS = ("needsAction", "declined", "tentative", "accepted")
MOST_GUESTS = 2000
SHARED_ONLY_BY_ORGANIZER = ("guestsCanModify", "guestsCanInviteOthers", "guestsCanSeeOtherGuests")


class Writes:
    """One request that writes to `calendar`, by `token`, with its query parameters."""

    def __init__(self, world: GoogleWorld, token: Token, calendar: str, query: Mapping[str, str]) -> None:
        self._world = world
        self._token = token
        self._calendar = calendar
        self._zone = zone_name(world, calendar)
        self._send_updates = query.get("sendUpdates") or ("all" if query.get("sendNotifications") == "true" else "none")
        self._with_conference = query.get("conferenceDataVersion") == "1"

    def insert(self, body: Json) -> Event:
        if "id" in body and not _ID.fullmatch(str(body["id"])):
            raise problems.invalid("Invalid resource id value.")
        event_id = str(body.get("id") or self._world.letters(26).translate(str.maketrans("wxyz", "abcd")))
        self._check(body)
        guests = self._guests(body.get("attendees"), [])
        if event_id in self._world.events[self._calendar]:
            raise problems.duplicate()
        self._spend_invitations({guest["email"] for guest in guests})
        now = self._world.now()
        written = {name: deepcopy(value) for name, value in body.items() if name not in ("id", "conferenceData")}
        event = Event(
            id=event_id,
            calendar=self._calendar,
            body=written | {"attendees": guests},
            creator=self._token.email,
            created=now,
            updated=now,
            changed=0,
            visible_from=now + timedelta(seconds=self._world.switches.hidden_after_create),
        )
        if self._with_conference and "conferenceData" in body:
            conferences.attach(self._world, event, body["conferenceData"])
        self._world.put(event)
        self._tell(event, "invite", self._emails(event))
        return event

    def patch(self, event_id: str, body: Json, if_match: str) -> Event:
        """Objects are merged, arrays replaced, null deletes (RFC 7396)."""
        event = self._writable(event_id, if_match, revive=body.get("status") == "confirmed")
        if body.get("status") == "cancelled":
            self.delete(event_id, if_match)
            return self._world.events[self._calendar][event.id]
        merged = _merged(event.body, {k: v for k, v in body.items() if k not in ("id", "conferenceData", "status")})
        return self._rewrite(event, merged, body)

    def put(self, event_id: str, body: Json, if_match: str) -> Event:
        """The whole event is replaced."""
        standing = self._world.events[self._calendar].get(event_id)
        if standing is not None and standing.is_deleted and self._world.switches.tombstone_put == 403:
            raise problems.forbidden()
        event = self._writable(event_id, if_match, revive=True)
        data = body.get("conferenceData")
        is_read_back = isinstance(data, dict) and "conferenceSolution" in data and event.conference is not None
        if self._with_conference and is_read_back and self._world.switches.put_with_conference == 400:
            raise problems.calendar(400, "global", "badRequest", "Bad Request")
        if self._with_conference and data is None:
            event.conference = None
        written = {k: deepcopy(v) for k, v in body.items() if k not in ("id", "conferenceData", "status")}
        return self._rewrite(event, written, body)

    def delete(self, event_id: str, if_match: str) -> None:
        """The id stays taken; of a series all days go."""
        event = self._writable(event_id, if_match)
        event.is_deleted = True
        self._world.put(event)
        for each in exceptions(self._world, event).values():
            each.is_deleted = True
            self._world.put(each)
        self._tell(event, "cancel", self._emails(event))

    def _rewrite(self, event: Event, written: Json, body: Json) -> Event:
        self._check(written | ({"conferenceData": body["conferenceData"]} if "conferenceData" in body else {}))
        before = self._emails(event)
        guests = self._guests(written.get("attendees"), event.body.get("attendees") or [])
        new = {guest["email"] for guest in guests} - before
        self._spend_invitations(new)
        keys = ("start", "end", "recurrence", "location")
        if any(written.get(key) != event.body.get(key) for key in keys):
            event.sequence += 1
        event.body = written | {"attendees": guests}
        if self._with_conference and "conferenceData" in body:
            conferences.attach(self._world, event, body["conferenceData"])
        self._world.put(event)
        after = self._emails(event)
        self._tell(event, "invite", after - before)
        self._tell(event, "update", after & before)
        self._tell(event, "cancel", before - after)
        return event

    def _writable(self, event_id: str, if_match: str, revive: bool = False) -> Event:
        """The event, or the day of a series, which becomes one of its own. Raises Refused."""
        event = self._world.events[self._calendar].get(event_id) or self._day(event_id)
        if event is None:
            if any(each.id == event_id for each in self._world.invited(self._calendar)):
                raise problems.not_organizer()
            raise problems.not_found()
        if event.visible_from is not None and self._world.now() < event.visible_from:
            raise problems.not_found()
        if event.is_deleted:
            if not (revive and self._world.switches.revives_tombstones):
                raise problems.deleted()
            event.is_deleted = False
        if if_match and if_match not in ("*", f'"{event.changed:016d}"'):
            raise problems.condition_not_met()
        return event

    def _day(self, event_id: str) -> Event | None:
        series = self._world.events[self._calendar].get(event_id.partition("_")[0])
        if series is None or "_" not in event_id or not series.is_series:
            return None
        first = times.moment_of(series.body["start"], self._zone, "start")
        for original in times.originals(series, self._zone, first, self._horizon(first)):
            day = generated(series, original, self._zone)
            if day.id == event_id:
                day.body = deepcopy({key: value for key, value in day.body.items() if key != "recurrence"})
                return day
        return None

    def _horizon(self, first: datetime) -> datetime:
        return max(first, self._world.now()) + times.FAR

    def _check(self, body: Json) -> None:
        for label in ("start", "end"):
            if label not in body or body[label] is None:
                raise problems.required(f"Missing {label} time.")
        start = times.moment_of(body["start"], self._zone, "start")
        end = times.moment_of(body["end"], self._zone, "end")
        if ("date" in body["start"]) != ("date" in body["end"]):
            raise problems.invalid("Start and end times must either both be date or both be dateTime.")
        if end <= start and not ("date" in body["start"] and end == start):
            raise problems.calendar(
                400,
                "calendar",
                "timeRangeEmpty",
                "The specified time range is empty.",
                locationType="parameter",
                location="timeMax",
            )
        if body.get("recurrence"):
            times.check_rules(body["recurrence"], body, self._zone)
        self._check_properties(body.get("extendedProperties") or {})
        if self._with_conference:
            conferences.check(self._world, body.get("conferenceData"), self._token.is_service_account_alone)

    def _check_properties(self, properties: Mapping[str, Any]) -> None:
        for values in (properties.get("private") or {}, properties.get("shared") or {}):
            for key, value in values.items():
                if len(key) > 44 or len(str(value)) > 1024:
                    raise problems.invalid("Invalid extended property.")

    def _guests(self, given: Any, standing: list[Json]) -> list[Json]:
        if not given:
            return []
        if self._token.is_service_account_alone:
            raise problems.service_account()
        if len(given) > MOST_GUESTS:
            raise problems.invalid("Too many attendees.")
        answers = {guest["email"]: guest["responseStatus"] for guest in standing}
        guests: dict[str, Json] = {}
        for guest in given:
            email = str(guest.get("email") or "").casefold()
            if not _EMAIL.fullmatch(email):
                raise problems.invalid("Invalid attendee email.")
            known = answers.get(email, "needsAction") if self._world.switches.keeps_answers else "needsAction"
            answer = guest.get("responseStatus") or known
            if answer not in ANSWERS:
                raise problems.invalid("Invalid value for: responseStatus")
            names = ("displayName", "optional", "resource", "comment", "additionalGuests")
            kept = {name: guest[name] for name in names if guest.get(name)}
            guests[email] = {"email": email, **kept, "responseStatus": answer}
        return list(guests.values())

    def _spend_invitations(self, emails: set[str]) -> None:
        """Google's guard against spam counts who is invited from outside, whatever is sent."""
        cap, host = self._world.switches.external_invitations, self._token.email
        until = self._world.limited_until.get(host)
        if until is not None and self._world.now() < until:
            raise problems.limits()
        outside = {email for email in emails if email.partition("@")[2] != host.partition("@")[2]}
        if cap is not None and outside:
            if self._world.external_invitations[host] + len(outside) > cap:
                self._world.limited_until[host] = self._world.now() + timedelta(hours=self._world.switches.limit_hours)
                self._world.external_invitations[host] = 0
                raise problems.limits()
            self._world.external_invitations[host] += len(outside)

    def _emails(self, event: Event) -> set[str]:
        return {guest["email"] for guest in event.body.get("attendees") or []}

    def _tell(self, event: Event, kind: str, emails: set[str]) -> None:
        """Who gets a mail because of this request."""
        emails = emails - {self._calendar}
        if self._send_updates == "externalOnly":
            emails = {email for email in emails if email not in self._world.users}
        if self._send_updates in ("all", "externalOnly") and emails:
            record = Notification(
                self._world.now(), self._calendar, event.id, self._send_updates, kind, tuple(sorted(emails))
            )
            self._world.notifications.append(record)


def _merged(standing: Json, patch: Mapping[str, Any]) -> Json:
    merged = deepcopy(standing)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = deepcopy(value)
    return merged
