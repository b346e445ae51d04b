"""Sorting a batch: what is ours goes to the function, what is not is counted, what can never work is kept aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from functions.shared.errors import HookRejected
from functions.shared.hooks import HookEvent
from functions.shared.inbox import BusMessage, Envelope, Hook, Tick, is_foreign

FOREIGN_ACCOUNT = "foreign_account"
"""Reason for ignoring that deserves a look: whoever sends it knows our hook token."""


@dataclass
class Intake:
    """What a batch holds besides the hints that each function adds: `ignored` counts what is not ours, by reason;
    `rejected` are the envelopes that can never work, each with its rejection."""

    ignored: dict[str, int] = field(default_factory=dict)
    rejected: list[Envelope] = field(default_factory=list)

    def ignore(self, reason: str) -> None:
        self.ignored[reason] = self.ignored.get(reason, 0) + 1

    def sort(
        self,
        envelopes: Iterable[Envelope],
        subdomain: str,
        account_id: int | None,
        *,
        event: Callable[[HookEvent, Envelope], None],
        announcement: Callable[[BusMessage, Envelope], None],
    ) -> None:
        """Hand each event of our account to `event`, each message of the bus to `announcement`, which may raise
        HookRejected. Ticks say nothing of a lead: they only make a function look around."""
        for envelope in envelopes:
            match envelope.message:
                case None:
                    self.rejected.append(envelope)
                case Hook(events):
                    for each in events:
                        if is_foreign(each, subdomain, account_id):
                            self.ignore(FOREIGN_ACCOUNT)
                        else:
                            event(each, envelope)
                case BusMessage():
                    try:
                        announcement(envelope.message, envelope)
                    except HookRejected as rejection:
                        self.rejected.append(replace(envelope, message=None, rejection=rejection))
                case Tick():
                    pass
