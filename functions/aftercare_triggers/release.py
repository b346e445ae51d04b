"""The last look at an episode before its task is set: it may have waited in the outbox for a manager's next day.
Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from functions.aftercare_triggers.exits import exit_types, return_of, words_of_return
from functions.aftercare_triggers.gates import closed_gate
from functions.aftercare_triggers.rules.rule import LatePolicy
from functions.aftercare_triggers.scene import View
from functions.aftercare_triggers.traces import base_of
from functions.shared.care import Client, Episode, Status

_A_DAY = timedelta(days=1)


class Release(StrEnum):
    """send: its task may be set now · wait: not before `until` · drop: it ends with `status`."""

    SEND = "send"
    WAIT = "wait"
    DROP = "drop"


@dataclass(frozen=True)
class Released:
    """`gate` says what held it back, `returned_at` when the client came back, `words` what to tell of it."""

    release: Release
    until: datetime | None = None
    status: Status | None = None
    gate: str = ""
    returned_at: datetime | None = None
    words: str = ""


def release(episode: Episode, view: View) -> Released:
    """Whether the task is still wanted. Its own firing, and what fired since, hold it back no more: cool-down and cap
    are not asked again."""
    rule = view.rule
    fact = return_of(view, base_of(rule, episode.anchor), episode.true_at, exit_types(rule) | rule.when.returns)
    if fact is not None:
        words = words_of_return(view, fact)
        return Released(Release.DROP, status=Status.EXITED, returned_at=fact.time, words=words)
    if not _still_true(episode, view):
        return Released(Release.DROP, status=Status.SUPPRESSED, gate="outbox")
    lateness = view.now - episode.planned_at
    if lateness > rule.late.expire:
        return Released(Release.DROP, status=Status.EXPIRED, gate="late")
    if rule.late.policy is LatePolicy.SKIP and lateness > rule.late.tolerance:
        return Released(Release.DROP, status=Status.SKIPPED_LATE, gate="late")
    closed = closed_gate(view, Client(episode.client), (), view.now)
    if closed is None:
        return Released(Release.SEND)
    return Released(Release.WAIT, until=closed.until or view.now + _A_DAY, gate=closed.gate)


def _still_true(episode: Episode, view: View) -> bool:
    if view.rule.late.policy is LatePolicy.FIRE_ONCE or not view.has_told(episode.true_at):
        return True
    return view.holds and view.anchor == base_of(view.rule, episode.anchor)
