"""What belongs to the link: whether it records itself, who met there, and the recordings (Google Meet API v2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from functions.shared.adapters.google.config import MEET_SCOPES
from functions.shared.adapters.google.rest import GoogleRest, Json, Query, Refusal
from functions.shared.errors import MeetingsForbidden, MeetingsUnauthorized
from functions.shared.meetings import Conference, Recording, RecordingState, Space, Span

_MASK = "config.artifactConfig.recordingConfig.autoRecordingGeneration"

LONGEST = timedelta(hours=24)
"""No call lasts longer (Google Workspace: limits of Meet)."""


class GoogleMeet:
    def __init__(self, rest: GoogleRest) -> None:
        self._rest = rest

    def record(self, code: str) -> Space:
        """The space is known by its code to readers alone: it is changed by its name. Without the scope, the right or
        the licence there is no recording, and a meeting nevertheless."""
        name = ""
        try:
            url = f"{self._rest.config.meet_url}/spaces/{quote(code, safe='')}"
            name = str(self._rest.call_made("GET", url, MEET_SCOPES).get("name") or "")
            config = {"artifactConfig": {"recordingConfig": {"autoRecordingGeneration": "ON"}}}
            self._call("PATCH", name, query=[("updateMask", _MASK)], body={"config": config})
        except (Refusal, MeetingsForbidden, MeetingsUnauthorized):
            return Space(name or code, RecordingState.REFUSED)
        return Space(name, RecordingState.ON)

    def conferences(self, space: str, span: Span) -> tuple[Conference, ...]:
        field = "space.name" if space.startswith("spaces/") else "space.meeting_code"
        since, until = _text(span.start - LONGEST), _text(span.end)
        wanted = f'{field}="{space}" AND start_time>="{since}" AND start_time<="{until}"'
        try:
            records = list(self._pages("conferenceRecords", "conferenceRecords", [("filter", wanted)]))
            found = [self._conference(record) for record in records if _touches(record, span)]
        except Refusal as refusal:
            raise MeetingsForbidden(f"Google Meet: {refusal}; is the link one of `meetings.host`?") from refusal
        return tuple(sorted(found, key=lambda conference: conference.started_at))

    def _conference(self, record: Json) -> Conference:
        recordings = list(self._pages(f"{record['name']}/recordings", "recordings"))
        ready = [_recording(each) for each in recordings if each.get("state") == "FILE_GENERATED"]
        ended = record.get("endTime")
        return Conference(
            started_at=_moment(record["startTime"]),
            ended_at=_moment(ended) if ended else None,
            recordings=tuple(ready),
            is_complete=len(ready) == len(recordings),
        )

    def _pages(self, path: str, key: str, query: Query = ()) -> Iterator[Json]:
        page: Query = []
        while True:
            answer = self._call("GET", path, query=[*query, ("pageSize", "100"), *page])
            yield from answer.get(key) or []
            if not answer.get("nextPageToken"):
                return
            page = [("pageToken", str(answer["nextPageToken"]))]

    def _call(self, method: str, path: str, *, query: Query = (), body: Json | None = None) -> Json:
        url = f"{self._rest.config.meet_url}/{path}"
        return self._rest.call(method, url, MEET_SCOPES, query=query, body=body)


def _touches(record: Json, span: Span) -> bool:
    ended = record.get("endTime")
    return _moment(record["startTime"]) < span.end and (not ended or _moment(ended) > span.start)


def _recording(row: dict[str, Any]) -> Recording:
    seconds = 0
    if row.get("startTime") and row.get("endTime"):
        seconds = int((_moment(row["endTime"]) - _moment(row["startTime"])).total_seconds())
    url = str((row.get("driveDestination") or {}).get("exportUri") or "")
    return Recording(str(row["name"]), url, max(0, seconds))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
