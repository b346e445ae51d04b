"""A decided step in work, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from functions.qualify_router.routing import Sight
from functions.shared.crm import Lead
from functions.shared.lead_state import Decision, LeadState


@dataclass(frozen=True)
class Job:
    """One decided step to be done. `state` is the row as stored with the decision; `resumed`: another run may have
    begun it, so its tasks and notes are looked for before they are written. `overtaken`: a person has moved the lead
    since, so that only what another run has already made of it is finished."""

    sight: Sight
    state: LeadState
    decision: Decision
    resumed: bool = False
    overtaken: bool = False

    @property
    def lead(self) -> Lead:
        return self.sight.lead


@dataclass(frozen=True)
class Copy:
    """The lead on which a copied one goes on; `is_new` unless it is a card that the client had."""

    lead_id: int
    is_new: bool
    known_owner: int = 0


@dataclass
class Done:
    """How the steps ended, by lead id: `refused` with amoCRM's reason, `given_up` because a person was faster; all
    others are complete. `copies` are the leads that copy steps have led to; `without_reason` were closed without their
    loss reason; `untold` are the leads whose task or note amoCRM refused; `later` those that have to wait for another
    worker."""

    refused: dict[int, str] = field(default_factory=dict)
    given_up: set[int] = field(default_factory=set)
    copies: dict[int, Copy] = field(default_factory=dict)
    without_reason: set[int] = field(default_factory=set)
    untold: dict[int, str] = field(default_factory=dict)
    later: set[int] = field(default_factory=set)
