"""Every error of Conveyor, in one tree. Branch on the class, never on the text.

ConveyorError
├── BadInput                 can never work as it is: answered or parked with its reason
│   ├── HookRejected         a webhook body we refuse to read
│   └── DepartmentInvalid    department.yaml, with line, value and remedy
├── NotConfigured            the installation lacks something: a department, a secret
├── RetryLater               nothing is wrong with the message; the same again, later
│   ├── Contended            others changed the same record too often in a row
│   ├── AmoCrmUnavailable    no answer, 429, 5xx, or the breaker is open
│   │   └── AmbiguousWrite   a write without an answer: it may have been done
│   └── MeetingsUnavailable  no answer of the calendar, its limits, 5xx
├── AmoCrmError              amoCRM answered, and the answer is final for this request
│   ├── AmoCrmRefused        400, 422: validation, with amoCRM's own words
│   ├── AmoCrmNotFound       404 on a write
│   ├── AmoCrmUnauthorized   401: token expired, revoked, or integration switched off
│   └── AmoCrmForbidden      402, 403 as JSON: tariff or rights
└── MeetingsError            the calendar answered, and the answer is final for this request
    ├── MeetingRefused       what is wanted is not valid: an e-mail, a time
    ├── MeetingGone          somebody has deleted it
    ├── MeetingMoved         somebody has changed it since it was read: look again
    ├── MeetingsUnauthorized the credential is dead: revoked, expired, wrong
    └── MeetingsForbidden    a scope, a right, the plan or the calendar itself is missing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class ConveyorError(Exception):
    """Base of all errors that Conveyor raises on purpose."""


class BadInput(ConveyorError):
    """The input can never be processed as it is."""


class HookRejected(BadInput):
    """A webhook body that is refused whole; `reason` is a stable word for counting, `detail` tells a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong in a file of the user: where, what stands there, what would be right."""

    where: str
    line: int | None
    value: str
    remedy: str

    def __str__(self) -> str:
        line = f"line {self.line}: " if self.line else ""
        return f"{line}{self.where}: {self.value} — {self.remedy}"


class DepartmentInvalid(BadInput):
    """department.yaml cannot be used; `findings` lists everything that is wrong, not only the first."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


class NotConfigured(ConveyorError):
    """Something that the installation must provide is missing; the text says which command provides it."""


class RetryLater(ConveyorError):
    """Try the same again; `after` is a hint in seconds, None where the caller's own back-off is as good."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Contended(RetryLater):
    """A record changed under us more often than we were willing to decide again."""


class AmoCrmUnavailable(RetryLater):
    """amoCRM did not do the request: no connection, 429, 5xx on a read, our own breaker is open, or no account answers
    at the base URL (404 to everything)."""


class AmbiguousWrite(AmoCrmUnavailable):
    """A write ended without a clear answer; look for its effect before you write again (design, rule 6)."""


class AmoCrmError(ConveyorError):
    """amoCRM answered with an error that stays the same however often we ask."""

    def __init__(self, message: str, status: int = 0, problems: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.problems = problems
        """(path, code) of each validation error, e.g. ("status_id", "NotSupportedChoice")."""


class AmoCrmRefused(AmoCrmError):
    """400 or 422. `refused`: the reason by request_id of the batch items that amoCRM named, "0" for the first."""

    def __init__(
        self,
        message: str,
        status: int,
        problems: tuple[tuple[str, str], ...] = (),
        refused: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, status, problems)
        self.refused = refused or {}


class AmoCrmNotFound(AmoCrmError):
    """404 on a write: the entity is gone."""


class AmoCrmUnauthorized(AmoCrmError):
    """401 even with a token read anew: `conveyor secrets set amocrm-token` is needed."""


class AmoCrmForbidden(AmoCrmError):
    """402 or 403 with a JSON body: the tariff or the rights of the token's user do not allow the request."""


class MeetingsUnavailable(RetryLater):
    """The calendar did not do the request: no connection, 5xx, too many requests. `after` is an hour or more where its
    limits for invitations are used up: asking again sooner makes it worse."""


class MeetingsError(ConveyorError):
    """The calendar answered with an error that stays the same however often we ask; the text says what would help."""


class MeetingRefused(MeetingsError):
    """Something in the meeting is not valid. `attendees`: it was an attendee's e-mail, and the calendar does not say
    whose."""

    def __init__(self, message: str, *, attendees: bool = False) -> None:
        super().__init__(message)
        self.attendees = attendees


class MeetingGone(MeetingsError):
    """The meeting was deleted in the calendar, or never was there."""


class MeetingMoved(MeetingsError):
    """The meeting is no longer as it was read."""


class MeetingsUnauthorized(MeetingsError):
    """No token for the calendar: `conveyor secrets set google-oauth` or `google-service-account` is needed."""


class MeetingsForbidden(MeetingsError):
    """The credential is alive but may not do this."""
