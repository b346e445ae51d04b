"""The state of one firm's Google. Every reader and writer holds `world.lock`; time and chance are handed in."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

from infra.local.amocrm_simulator.request_log import RequestLog
from infra.local.google_simulator import keys
from infra.local.google_simulator.model import Event, Json, Notification, Record, Space, Token, User
from infra.local.google_simulator.switches import GoogleSwitches

if TYPE_CHECKING:
    from functions.shared.clock import Clock

EVERYTHING = frozenset({"*"})
TOKEN_LIFE = timedelta(days=365)
"""Of a token that tests hand out."""


class GoogleWorld:
    """Users with a primary calendar each, their events, the Meet spaces, and who may do what.

    Tests and the local stack change behaviour with `switch`, read `requests` and `notifications`, and play what people
    do with the methods at the end (see hands.py).
    """

    def __init__(self, clock: Clock, *, switches: GoogleSwitches | None = None, seed: int = 0) -> None:
        self.clock = clock
        self.switches = switches or GoogleSwitches()
        self.random = random.Random(seed)
        self.lock = RLock()
        self.requests = RequestLog()
        self.notifications: list[Notification] = []
        self.users: dict[str, User] = {}
        self.events: dict[str, dict[str, Event]] = defaultdict(dict)
        self.spaces: dict[str, Space] = {}
        self.records: dict[str, Record] = {}
        self.tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, tuple[str, frozenset[str], Json]] = {}
        self.service_accounts: dict[str, frozenset[str] | None] = {}
        self.dead_credentials: dict[str, str] = {}
        self.oldest_sync = 0
        self.used: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self.external_invitations: defaultdict[str, int] = defaultdict(int)
        self.limited_until: dict[str, datetime] = {}
        self._changes = 0

    # Time, chance, switches

    def now(self) -> datetime:
        return self.clock.now().astimezone(UTC)

    def chance(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    def letters(self, count: int) -> str:
        return "".join(self.random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(count))

    def next_change(self) -> int:
        self._changes += 1
        return self._changes

    @property
    def last_change(self) -> int:
        return self._changes

    def switch(self, **changes: Any) -> None:
        """Change some switches; the names are those of `GoogleSwitches`."""
        with self.lock:
            self.switches = replace(self.switches, **changes)

    def forget_sync_tokens(self) -> None:
        """All sync tokens given until now are too old."""
        with self.lock:
            self.oldest_sync = self.next_change()

    # People and their credentials

    def add_user(
        self,
        email: str,
        *,
        timezone: str = "Europe/Moscow",
        can_record: bool = True,
        kind: Literal["workspace", "consumer", "service_account"] = "workspace",
    ) -> User:
        with self.lock:
            user = User(email.casefold(), timezone, can_record, kind)
            return self.users.setdefault(user.email, user)

    def add_service_account(self, email: str, *, delegated_scopes: Collection[str] | None = None) -> Json:
        """The key that a firm downloads; `delegated_scopes` None: no domain-wide delegation."""
        with self.lock:
            self.add_user(email, kind="service_account")
            self.service_accounts[email] = None if delegated_scopes is None else frozenset(delegated_scopes)
            return {
                "type": "service_account",
                "project_id": "local",
                "private_key_id": "local-key",
                "private_key": keys.private_pem(),
                "client_email": email,
                "client_id": "100000000000000000001",
                "token_uri": "https://oauth2.googleapis.com/token",
            }

    def add_refresh_token(self, email: str, scopes: Collection[str]) -> Json:
        """What the host's consent gives."""
        with self.lock:
            self.add_user(email)
            given = {"client_id": "local.apps", "client_secret": self.letters(24), "refresh_token": self.letters(40)}
            self.refresh_tokens[given["refresh_token"]] = (email.casefold(), frozenset(scopes), given)
            return given

    def add_access_token(self, email: str, scopes: Collection[str] = EVERYTHING, *, everything: bool = False) -> str:
        """A ready bearer token. `everything`: it reads and writes all calendars of the firm."""
        with self.lock:
            self.add_user(email)
            token = f"ya29.{self.letters(40)}"
            self.tokens[token] = Token(email.casefold(), frozenset(scopes), self.now() + TOKEN_LIFE, everything)
            return token

    def revoke(self, credential: str, error: str = "invalid_grant") -> None:
        """A refresh token, a service account or a user's consent has ended; access tokens given for it end too."""
        with self.lock:
            self.dead_credentials[credential] = error
            emails = {credential, self.refresh_tokens.get(credential, ("",))[0]}
            for name in [name for name, token in self.tokens.items() if token.email in emails]:
                if not self.tokens[name].sees_everything:
                    del self.tokens[name]

    # Calendars

    def user(self, email: str) -> User | None:
        user = self.users.get(email.casefold())
        return None if user is None or user.is_deleted else user

    def put(self, event: Event) -> Event:
        event.changed, event.updated = self.next_change(), self.now()
        self.events[event.calendar][event.id] = event
        return event

    def invited(self, email: str) -> list[Event]:
        """Events of other calendars with this guest."""
        return [
            event
            for calendar, events in self.events.items()
            if calendar != email
            for event in events.values()
            if any(guest["email"] == email for guest in event.body.get("attendees") or [])
        ]

    def space_of_code(self, code: str) -> Space | None:
        return next((space for space in self.spaces.values() if space.code == code), None)

    def mint(self, owner: str, *, by_calendar: bool) -> Space:
        code = f"{self.letters(3)}-{self.letters(4)}-{self.letters(3)}"
        space = Space(f"spaces/{self.letters(12)}", code, owner, by_calendar, created_by_app=not by_calendar)
        self.spaces[space.name] = space
        return space

    def passes(self, name: str, weight: int, limit: int) -> bool:
        """Whether one more request of this weight stays within the limit of the last minute."""
        used, since = self.used[name], self.now() - timedelta(minutes=1)
        while used and used[0] <= since:
            used.popleft()
        if len(used) + weight > limit:
            return False
        used.extend([self.now()] * weight)
        return True
