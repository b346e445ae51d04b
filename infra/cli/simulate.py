"""`conveyor simulate`: distribution without amoCRM, by any rule, measured against the fair share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from functions.shared.errors import BadInput, Finding
from infra.cli.audit import Audit
from infra.cli.policies import POLICIES, Policy

MAX_WEIGHT = 10**6
"""Nobody's share is a million times another's; beyond it the weights were mistyped."""


class TraceInvalid(BadInput):
    """A trace or a members file that cannot be simulated."""

    def __init__(self, file: Path, line: int | None, value: str, remedy: str) -> None:
        super().__init__(str(Finding(str(file), line, value, remedy)))


@dataclass(frozen=True)
class Arrival:
    """A lead as it arrives: its channel, and the ids of those who can take it then."""

    channel: str
    present: frozenset[str]


@dataclass(frozen=True)
class Simulation:
    """`assignments` in the trace's order; None for a lead that came while nobody was present."""

    assignments: list[str | None]
    audit: Audit

    def document(self) -> dict[str, Any]:
        """What `--json` prints: fairness is the largest distance of any member at any moment, in leads."""
        fairness = {"total": self.audit.worst_in_total(), "channel": self.audit.worst_in_a_channel()}
        return {"assignments": self.assignments, "fairness": fairness}


def distribute(arrivals: Sequence[Arrival], weights: Mapping[str, Fraction], policy: Policy) -> Simulation:
    """Give every lead out by the rule, in order.

    A lead that comes while nobody is present is given to nobody: its line says who could have had it, and no later
    line does.
    """
    assignments: list[str | None] = [None] * len(arrivals)
    audit = Audit({member: float(weight) for member, weight in weights.items()})
    for position, arrival in enumerate(arrivals):
        eligible = [member for member in weights if member in arrival.present]
        if not eligible:
            continue
        receiver = assignments[position] = policy.pick(eligible, arrival.channel)
        audit.record(eligible, arrival.channel, receiver)
    return Simulation(assignments, audit)


def read_members(file: Path) -> dict[str, Fraction]:
    """`{"id": weight}` in the file's order. Raises TraceInvalid."""
    try:
        found = json.loads(_text(file), parse_float=Fraction, parse_constant=str)
    except json.JSONDecodeError as error:
        raise TraceInvalid(file, error.lineno, f"no JSON: {error.msg}", 'write one object like {"anna": 1}') from None
    if not isinstance(found, dict) or not found:
        raise TraceInvalid(file, None, "no members", 'write one object like {"anna": 1, "boris": 0.5}')
    for member, weight in found.items():
        if isinstance(weight, bool) or not isinstance(weight, int | Fraction) or not 0 < weight <= MAX_WEIGHT:
            raise TraceInvalid(
                file, None, f"weight of {member} is {weight}", f"a weight is a number above 0, at most {MAX_WEIGHT}"
            )
    return {member: Fraction(weight) for member, weight in found.items()}


def read_trace(file: Path, members: Mapping[str, Fraction]) -> list[Arrival]:
    """One lead a line; empty lines are skipped. Raises TraceInvalid with the number of the first line it cannot use."""
    arrivals = list(_arrivals(file, members))
    if not arrivals:
        raise TraceInvalid(file, None, "no leads", "write one JSON object a line")
    return arrivals


def _arrivals(file: Path, members: Mapping[str, Fraction]) -> Iterator[Arrival]:
    example = '{"at": "2026-11-02T09:00:00Z", "channel": "site", "value": 100, "present": ["anna"]}'
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            lead = json.loads(line)
        except json.JSONDecodeError as error:
            raise TraceInvalid(file, number, f"no JSON: {error.msg}", f"one lead a line, like {example}") from None
        if not isinstance(lead, dict):
            raise TraceInvalid(file, number, "not an object", f"one lead a line, like {example}")
        channel, present = lead.get("channel"), lead.get("present")
        if not isinstance(channel, str):
            raise TraceInvalid(file, number, f"channel is {json.dumps(channel)}", "give the channel's name as a string")
        if not isinstance(present, list) or not all(isinstance(member, str) for member in present):
            raise TraceInvalid(
                file, number, f"present is {json.dumps(present)}", "give a list of member ids, as strings"
            )
        unknown = [member for member in present if member not in members]
        if unknown:
            raise TraceInvalid(
                file, number, f"{unknown[0]} is present, but no member", "add the id to the members file"
            )
        yield Arrival(channel, frozenset(present))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TraceInvalid(file, None, f"cannot be read: {error.strerror}", "check the path") from None
    except UnicodeDecodeError:
        raise TraceInvalid(file, None, "not UTF-8", "save the file as UTF-8") from None


def simulate(
    trace: Annotated[Path, typer.Argument(metavar="TRACE.jsonl", help="One lead a line: at, channel, value, present.")],
    members: Annotated[Path, typer.Option(metavar="MEMBERS.json", help='{"id": weight}; the order is the list order.')],
    policy: Annotated[str, typer.Option(help="The rule: " + ", ".join(POLICIES) + ".")] = "conveyor",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """Distribute a trace of leads without amoCRM, and say how far anybody was from his fair share.

    A lead for which nobody is present is given to nobody: null. Ends with 2 if a file cannot be used.
    """
    try:
        weights = read_members(members)
        arrivals = read_trace(trace, weights)
        if policy not in POLICIES:
            raise BadInput(f"no policy is called {policy} — choose one of: {', '.join(POLICIES)}")
    except BadInput as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    simulation = distribute(arrivals, weights, POLICIES[policy](weights))
    if as_json:
        typer.echo(json.dumps(simulation.document(), ensure_ascii=False))
    else:
        _show(simulation, weights, policy)


def _show(simulation: Simulation, weights: Mapping[str, Fraction], policy: str) -> None:
    audit = simulation.audit
    table = Table(title=f"{len(simulation.assignments)} leads by {policy}", caption="all numbers in leads")
    table.add_column("member")
    for heading in ("weight", "received", "fair share", "largest distance", "in a channel"):
        table.add_column(heading, justify="right")
    for member, weight in weights.items():
        received = audit.received[member]
        share = received - audit.total.now.get(member, 0.0)
        far = audit.total.worst.get(member, 0.0)
        far_in_a_channel = max((book.worst.get(member, 0.0) for book in audit.channels.values()), default=0.0)
        numbers = f"{float(weight):g}", str(received), f"{share:.2f}", f"{far:.2f}", f"{far_in_a_channel:.2f}"
        table.add_row(member, *numbers)
    console = Console(markup=False)
    console.print(table)
    console.print(
        f"Largest distance from the fair share: {audit.worst_in_total():.2f} in total, "
        f"{audit.worst_in_a_channel():.2f} in a channel. Longest run of leads to one member: {audit.longest_run}."
    )
    waiting = simulation.assignments.count(None)
    if waiting:
        console.print(f"Nobody was present for {waiting} of the leads: nobody has them.")
