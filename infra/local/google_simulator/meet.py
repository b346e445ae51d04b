"""Spaces, conference records and recordings (Google Meet API v2)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from infra.local.google_simulator import problems, times
from infra.local.google_simulator.model import Json, Record, Space, Token
from infra.local.google_simulator.world import GoogleWorld

RECORDS_LAST = timedelta(days=30)
_CONDITION = re.compile(r'\s*([a-z_.]+)\s*(>=|<=|=|>|<)\s*"([^"]*)"\s*|\s*end_time\s+IS\s+NULL\s*')
_RECORDING = "config.artifactConfig.recordingConfig.autoRecordingGeneration"


def space_of(world: GoogleWorld, token: Token, name: str) -> Space:
    """By its name or by its code; settings are the owner's to see. Raises Refused."""
    space = world.spaces.get(f"spaces/{name}") or world.space_of_code(name)
    user = world.user(token.email)
    if space is None or user is None or token.is_service_account_alone:
        raise problems.no_space()
    if user.kind == "consumer" and not world.switches.meet_for_consumers:
        raise problems.no_space()
    return space


def shown_space(space: Space, token: Token) -> Json:
    body: Json = {"name": space.name, "meetingUri": space.uri, "meetingCode": space.code}
    if token.email == space.owner or token.sees_everything:
        generation = {"autoRecordingGeneration": "ON" if space.records_itself else "OFF"}
        body["config"] = {
            "accessType": "TRUSTED",
            "entryPointAccess": "ALL",
            **space.config,
            "artifactConfig": {**(space.config.get("artifactConfig") or {}), "recordingConfig": generation},
        }
    return body


def patch_space(world: GoogleWorld, token: Token, name: str, mask: str, body: Json) -> Space:
    """Only by the canonical name, only by the owner."""
    space = world.spaces.get(f"spaces/{name}")
    if space is None or token.email != space.owner or token.is_service_account_alone:
        raise problems.no_space()
    if not _allows(token, "meetings.space.settings") and not space.created_by_app:
        raise problems.no_space()
    config = body.get("config") or {}
    paths = [path.strip() for path in mask.split(",")] if mask else []
    known = ("config", "*", "config.artifactConfig", "config.accessType", "config.entryPointAccess")
    if any(path not in known and not path.startswith("config.artifactConfig.") for path in paths):
        raise problems.meet(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
    artifacts = config.get("artifactConfig") or {}
    wanted = (artifacts.get("recordingConfig") or {}).get("autoRecordingGeneration")
    if wanted not in (None, "ON", "OFF"):
        raise problems.meet(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
    user = world.user(token.email)
    if wanted == "ON" and user and not user.can_record and world.switches.recording_without_licence == 403:
        raise problems.meet(403, "PERMISSION_DENIED", "The caller does not have permission")
    is_recording_named = not paths or any(_RECORDING.startswith(path) or path == "*" for path in paths)
    if wanted and is_recording_named:
        space.config["artifactConfig"] = {"recordingConfig": {"autoRecordingGeneration": wanted}}
    for name_ in ("accessType", "entryPointAccess"):
        if name_ in config and (not paths or f"config.{name_}" in paths):
            space.config[name_] = config[name_]
    return space


def create_space(world: GoogleWorld, token: Token, body: Json) -> Space:
    user = world.user(token.email)
    if token.is_service_account_alone or user is None:
        raise problems.meet(403, "PERMISSION_DENIED", "The caller does not have permission")
    if user.kind == "consumer" and not world.switches.meet_for_consumers:
        raise problems.meet(403, "PERMISSION_DENIED", "The caller does not have permission")
    if not world.passes(f"spaces:{token.email}", 1, world.switches.spaces_per_minute):
        raise problems.meet(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).")
    space = world.mint(token.email, by_calendar=False)
    space.config = dict(body.get("config") or {})
    return space


def hold(world: GoogleWorld, space: Space, start: datetime, end: datetime, *, privileged: bool) -> Record:
    """People met there; it was recorded if that was switched on, the edition can, and somebody with the right came."""
    owner = world.user(space.owner)
    recording = space.records_itself and privileged and owner is not None and owner.can_record
    record = Record(world.letters(24), space.name, start, end, recording)
    world.records[record.id] = record
    return record


def records(world: GoogleWorld, token: Token, filter_: str) -> list[Record]:
    """Of spaces whose owner, or whose firm's guest, the token is; the newest first."""
    found = [record for record in world.records.values() if _may_see(world, token, record) and _lives(world, record)]
    found = [record for record in found if all(_holds(world, record, part) for part in _parts(filter_))]
    return sorted(found, key=lambda record: record.started_at, reverse=True)


def shown_record(world: GoogleWorld, record: Record) -> Json:
    body = {
        "name": f"conferenceRecords/{record.id}",
        "startTime": times.text(record.started_at),
        "space": record.space,
        "expireTime": times.text(record.ended_at + RECORDS_LAST),
    }
    return body | ({"endTime": times.text(record.ended_at)} if record.ended_at <= world.now() else {})


def recordings(world: GoogleWorld, record: Record) -> list[Json]:
    """STARTED while people talk, ENDED until the file is there, then FILE_GENERATED."""
    now = world.now()
    if not record.recording or record.started_at > now:
        return []
    body: Json = {
        "name": f"conferenceRecords/{record.id}/recordings/{record.id[:12]}",
        "state": "STARTED",
        "startTime": times.text(record.started_at),
    }
    if record.ended_at <= now:
        body |= {"state": "ENDED", "endTime": times.text(record.ended_at)}
    if record.ended_at + timedelta(seconds=world.switches.recording_delay) <= now:
        file = f"1{record.id}"
        destination = {"file": file, "exportUri": f"https://drive.google.com/file/d/{file}/view"}
        body |= {"state": "FILE_GENERATED", "driveDestination": destination}
    return [body]


def record_of(world: GoogleWorld, token: Token, record_id: str) -> Record:
    record = world.records.get(record_id)
    if record is None or not _may_see(world, token, record) or not _lives(world, record):
        raise problems.meet(404, "NOT_FOUND", "Requested entity was not found.")
    return record


def _may_see(world: GoogleWorld, token: Token, record: Record) -> bool:
    space = world.spaces[record.space]
    if token.is_service_account_alone:
        return False
    is_ours = space.created_by_app or _allows(token, "meetings.space.readonly")
    return token.sees_everything or (token.email == space.owner and is_ours)


def _allows(token: Token, scope: str) -> bool:
    return "*" in token.scopes or f"https://www.googleapis.com/auth/{scope}" in token.scopes


def _lives(world: GoogleWorld, record: Record) -> bool:
    return record.started_at <= world.now() < record.ended_at + RECORDS_LAST


def _parts(filter_: str) -> list[str]:
    return [part for part in re.split(r"\s+AND\s+", filter_) if part.strip()]


def _holds(world: GoogleWorld, record: Record, part: str) -> bool:
    match = _CONDITION.fullmatch(part)
    if match is None:
        raise problems.meet(400, "INVALID_ARGUMENT", "Invalid filter.")
    if match[1] is None:
        return record.ended_at > world.now()
    values: dict[str, Any] = {
        "space.name": record.space,
        "space.meeting_code": world.spaces[record.space].code,
        "start_time": record.started_at,
        "end_time": record.ended_at,
    }
    if match[1] not in values:
        raise problems.meet(400, "INVALID_ARGUMENT", "Invalid filter.")
    known = values[match[1]]
    if not isinstance(known, datetime):
        return match[2] == "=" and bool(known == match[3])
    try:
        moment = datetime.fromisoformat(match[3])
    except ValueError:
        raise problems.meet(400, "INVALID_ARGUMENT", "Invalid filter.") from None
    compared = {">=": known >= moment, "<=": known <= moment, ">": known > moment, "<": known < moment}
    return compared.get(match[2], known == moment)
