"""A rule now: whom it is true for, what would become of each, and when it will be true for others. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from functions.aftercare_triggers.rules.clocks import local_date
from functions.aftercare_triggers.rules.rule import BackfillMode, Rule
from functions.aftercare_triggers.sight import Sight, known
from functions.aftercare_triggers.waking import view, wake
from functions.aftercare_triggers.words import worded
from functions.shared.care import Client
from functions.shared.facts import Fact

AHEAD = timedelta(days=14)
FIRES = "fire"
UNJUDGED = "watermark"


@dataclass(frozen=True)
class Match:
    """A client for whom the condition holds since then; `gate` is what stops it (fire: nothing does), until when."""

    client: Client
    since: datetime
    gate: str
    until: datetime | None
    text: str


@dataclass
class Preview:
    """`seen` clients were looked at, of `unjudged` no feed has told enough. `coming` are days on which it will become
    true at the earliest: people may come before, so it is an upper bound."""

    rule: Rule
    seen: int = 0
    unjudged: int = 0
    matches: list[Match] = field(default_factory=list)
    coming: Counter[date] = field(default_factory=Counter)

    @property
    def firing(self) -> list[Match]:
        return [match for match in self.matches if match.gate == FIRES]


def preview(rule: Rule, sight: Sight, clients: Iterable[tuple[Client, list[Fact]]]) -> Preview:
    """As if the rule were new and were to count from now on for what is true already (backfill: current), and had never
    fired; the client's cap counts what other rules did."""
    bare = replace(rule, backfill=BackfillMode.CURRENT, holdout=0.0)
    found = Preview(rule)
    for client, facts in clients:
        found.seen += 1
        person = sight.person(client, facts, None)
        seen = view(bare, person, sight.scene)
        if seen is None:
            found.unjudged += 1
            continue
        if seen.holds:
            own = tuple(trace for trace in client.traces if trace.rule != rule.id)
            fresh = replace(known(client, facts), traces=own, held=())
            verdict = wake(fresh, person, [bare], sight.scene, sight.book.version).verdicts[0]
            since = rule.when.since(person, seen.at)
            text = worded(rule.action.text, rule.when.numbers(person, seen.at))
            found.matches.append(Match(client, since, verdict.gate, verdict.until, text))
        else:
            due = rule.when.next_due(person, seen.at)
            if due is not None and due <= sight.now + AHEAD:
                found.coming[local_date(due, sight.department.timezone)] += 1
    return found
