"""What a wake of a client comes to: what is to be stored and done. Pure records; see judging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from functions.shared.care import Client, Episode, Status


class Act(StrEnum):
    """What is to be done about an episode that exists already.

    strike: the client came back, so this reason is settled (of a task that a person has closed, and of a hold-out, only
    the return is noted) · void: the facts were corrected · withdraw: it has not been sent yet and is no longer wanted ·
    escalate: hand the open task to the head.
    """

    STRIKE = "strike"
    VOID = "void"
    WITHDRAW = "withdraw"
    ESCALATE = "escalate"


@dataclass(frozen=True)
class Change:
    """`words` is the result or note that people read; `step` the count of an escalation, `at` when the fact was."""

    key: tuple[str, str]
    act: Act
    at: datetime
    words: str = ""
    step: int = 0
    to: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of one rule at one instant, for the audit and `care explain`. `gate` is the gate that decided
    (watermark: no feed has told anything yet, condition, returned: true, but the client came back since, identity,
    re_entry, backfill, guards, freeze, cooldown, cap, window, late, arm, fire); `until` when it opens; `horizon` is the
    instant up to which the condition was judged; `status` what the episode became (None: nothing was recorded)."""

    rule: str
    rule_version: int
    holds: bool
    gate: str
    anchor: str = ""
    true_at: datetime | None = None
    planned_at: datetime | None = None
    until: datetime | None = None
    status: Status | None = None
    horizon: datetime | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class WakePlan:
    """`client` is his row as it is to be stored, `due_at` included; `episodes` are new rows (fired, held out, skipped
    …), `over_baseline` the same where a row with status baseline stands already and is to be replaced, `changes`
    concern standing ones; `verdicts` tell about every rule."""

    client: Client
    episodes: tuple[Episode, ...] = ()
    over_baseline: tuple[Episode, ...] = ()
    changes: tuple[Change, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
