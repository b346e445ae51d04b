"""What rules are judged by: the instant, the feeds, the calendar; and one client seen through one rule. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from functions.aftercare_triggers.rules.calendar import WorkingDays
from functions.aftercare_triggers.rules.person import Person
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.watermark import Watermarks


@dataclass(frozen=True)
class Scene:
    """The same for all clients of a tick. `holdout_key` is the account's key for the draw of the arms."""

    watermarks: Watermarks
    days: WorkingDays
    holdout_key: bytes

    @property
    def now(self) -> datetime:
        return self.watermarks.now


@dataclass(frozen=True)
class View:
    """One client through one rule. `at` is the instant at which the condition is judged: now, or for a rule that
    speaks of what did not happen, up to when the feeds have told; `person.watermark` is not later either."""

    rule: Rule
    person: Person
    at: datetime
    scene: Scene

    @property
    def now(self) -> datetime:
        return self.scene.now

    @property
    def types_of_end(self) -> frozenset[str]:
        return ending(self.rule)

    @cached_property
    def holds(self) -> bool:
        return self.rule.when.holds(self.person, self.at)

    @cached_property
    def anchor(self) -> str:
        """Of the stretch that holds; empty while none does."""
        return self.rule.when.anchor(self.person, self.at) if self.holds else ""

    @property
    def lag(self) -> timedelta:
        """How late the condition is judged on purpose."""
        return self.scene.watermarks.lag(self.types_of_end) if self.rule.when.judged_at_watermark else timedelta(0)

    def has_told(self, moment: datetime) -> bool:
        """Whether the condition can be judged at that moment; a feed that falls silent takes back what was told."""
        return moment <= self.at or not self.rule.when.judged_at_watermark

    def look_at(self, moment: datetime | None) -> datetime | None:
        """When to look whether what the condition does at `moment` has come about."""
        if moment is None or not self.rule.when.judged_at_watermark:
            return moment
        return self.scene.watermarks.passes(self.types_of_end, moment)


def ending(rule: Rule) -> frozenset[str]:
    """Types of facts that could make the rule false: their feeds must have told everything."""
    return rule.when.returns or rule.when.reads


def earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
