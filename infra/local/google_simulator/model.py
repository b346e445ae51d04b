"""What the firm's Google account holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Json = dict[str, Any]


@dataclass
class User:
    """`kind` workspace or consumer; `can_record` is what the edition allows."""

    email: str
    timezone: str
    can_record: bool = True
    kind: Literal["workspace", "consumer", "service_account"] = "workspace"
    is_deleted: bool = False

    @property
    def domain(self) -> str:
        return self.email.partition("@")[2]


@dataclass
class Token:
    """An access token: `email` acts. `sees_everything` is for whoever looks in from outside."""

    email: str
    scopes: frozenset[str]
    ends_at: datetime
    sees_everything: bool = False
    is_service_account_alone: bool = False


@dataclass
class Event:
    """`body` is what clients wrote; the rest is Google's. An exception of a series has `series` and `original`.
    `changed` numbers all changes of the world."""

    id: str
    calendar: str
    body: Json
    creator: str
    created: datetime
    updated: datetime
    changed: int
    sequence: int = 0
    is_deleted: bool = False
    conference: Conference | None = None
    series: str = ""
    original: datetime | None = None
    visible_from: datetime | None = None

    @property
    def is_series(self) -> bool:
        return bool(self.body.get("recurrence"))


@dataclass
class Conference:
    """A Meet link of an event: pending until `ready_at`. `space` is empty where the request failed."""

    request_id: str
    ready_at: datetime
    space: str
    is_failed: bool = False
    given: Json | None = None
    """Conference data that a client attached himself."""


@dataclass
class Space:
    """`minted_by_calendar`: not created through the Meet API."""

    name: str
    code: str
    owner: str
    minted_by_calendar: bool
    created_by_app: bool
    config: Json = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"https://meet.google.com/{self.code}"

    @property
    def records_itself(self) -> bool:
        artifacts = self.config.get("artifactConfig") or {}
        return bool((artifacts.get("recordingConfig") or {}).get("autoRecordingGeneration") == "ON")


@dataclass
class Record:
    """People met at a space; `recording` says whether it was recorded."""

    id: str
    space: str
    started_at: datetime
    ended_at: datetime
    recording: bool


@dataclass(frozen=True)
class Notification:
    """Who was written to because of a write: `kind` is invite, update or cancel."""

    at: datetime
    calendar: str
    event_id: str
    send_updates: str
    kind: str
    recipients: tuple[str, ...]
