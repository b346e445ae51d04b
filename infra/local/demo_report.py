"""What the demo prints: every decision in one line, then who got how much and why somebody got nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from rich.table import Table

from functions.shared.assignment import Assignment, Mode, Standing
from functions.shared.department import Department, Member
from functions.shared.fairness import UNIT
from infra.cli.audit import Audit

WAITED = timedelta(minutes=2)
"""From so long on the line says that a lead has waited."""


class Report:
    """Reads decisions; `zone` is the one times are printed in."""

    def __init__(self, department: Department, zone: ZoneInfo) -> None:
        self._members = {member.user_id: member for team in department.teams for member in team.members}
        self._zone = zone

    def line(self, decision: Assignment) -> str:
        """`09:14:03  lead 30000031  whatsapp   → Anna   owed 0.83 (whatsapp 0.50), next Vera 0.33 (0.50)`"""
        at = decision.decided_at.astimezone(self._zone)
        return (
            f"{at:%H:%M:%S}  lead {decision.lead_id}  {decision.channel:<10} → [bold]{self._name(decision.owner):<8}[/]"
            f" {self._why(decision)}{self._waited(decision)}"
        )

    def fairness(self, decisions: Sequence[Assignment]) -> Table:
        """Per manager: leads, the fair share of those he could have had, and how far he is from it."""
        table = Table("manager", "weight", "leads", "fair share", "distance", "worst channel", title="Fairness")
        audit = self._audit(decisions)
        for user_id in sorted({user_id for decision in decisions for user_id in decision.claims}):
            name, got = str(user_id), audit.received[str(user_id)]
            distance = audit.total.now.get(name, 0.0)
            channel, worst = max(
                ((channel, book.now.get(name, 0.0)) for channel, book in audit.channels.items()),
                key=lambda pair: abs(pair[1]),
            )
            weight = self._members[user_id].weight
            table.add_row(
                self._name(user_id),
                f"{float(weight):g}",
                str(got),
                f"{got - distance:.2f}",
                f"{distance:+.2f}",
                f"{worst:+.2f} {channel}",
            )
        table.caption = (
            f"largest distance at any time: {audit.worst_in_total():.2f} leads in total,"
            f" {audit.worst_in_a_channel():.2f} in a channel"
        )
        return table

    def exclusions(self, decisions: Sequence[Assignment]) -> Table:
        """Per manager: how many leads each rule kept from him."""
        kept = Counter(
            (user_id, rule) for decision in decisions for rule, users in decision.excluded.items() for user_id in users
        )
        rules = sorted({rule for _, rule in kept})
        table = Table("manager", *rules, title="Leads a manager could not take, by rule")
        for user_id in sorted({user_id for user_id, _ in kept}):
            table.add_row(self._name(user_id), *(str(kept[user_id, rule] or "") for rule in rules))
        return table

    def channels(self, decisions: Sequence[Assignment]) -> Table:
        """Leads per manager and channel."""
        got = Counter((decision.owner, decision.channel) for decision in decisions)
        channels = sorted({decision.channel for decision in decisions})
        table = Table("manager", *channels, title="Who got what")
        for user_id in sorted({user_id for user_id, _ in got}):
            table.add_row(self._name(user_id), *(str(got[user_id, channel] or "") for channel in channels))
        return table

    def _audit(self, decisions: Sequence[Assignment]) -> Audit:
        audit = Audit({str(user_id): float(member.weight) for user_id, member in self._members.items()})
        for decision in sorted(decisions, key=lambda decision: (decision.decided_at, decision.ledger_version)):
            audit.record([str(user_id) for user_id in decision.claims], decision.channel, str(decision.owner))
        return audit

    def _why(self, decision: Assignment) -> str:
        if decision.mode is Mode.OWN_CLIENT:
            return "his own client; nobody's turn is spent"
        if decision.mode is Mode.MANUAL:
            return "somebody had given it to him by hand"
        if decision.mode is Mode.DUTY:
            return "on duty: nobody else can take it"
        if len(decision.considered) == 1:
            return f"the only one ({self._kept_out(decision)})"
        standings = sorted(decision.considered, key=lambda standing: standing.user_id != decision.owner)
        mine, others = standings[0], standings[1:]
        closest = max(others, key=lambda other: _owed(other.total, other) + _owed(other.channel, other))
        return (
            f"owed {_owed(mine.total, mine):+.2f} (channel {_owed(mine.channel, mine):+.2f}),"
            f" {self._name(closest.user_id)} {_owed(closest.total, closest):+.2f}"
            f" ({_owed(closest.channel, closest):+.2f})"
        )

    def _kept_out(self, decision: Assignment) -> str:
        kept = (f"{self._name(user_id)} {rule}" for rule, users in decision.excluded.items() for user_id in users)
        return ", ".join(kept) or "the team has nobody else"

    def _waited(self, decision: Assignment) -> str:
        if decision.decided_at - decision.arrived_at < WAITED:
            return ""
        return f"; waited since {decision.arrived_at.astimezone(self._zone):%H:%M}"

    def _name(self, user_id: int) -> str:
        member: Member | None = self._members.get(user_id)
        return member.name if member else str(user_id)


def _owed(deficit: int, standing: Standing) -> float:
    """What he is owed with his claim on this lead, in leads; without the minus of a zero."""
    return round((deficit + standing.claim) / UNIT, 2) + 0.0
