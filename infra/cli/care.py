"""`conveyor care`: what a rule would do now, what it would have done, why a client has a task or has none."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Grid

from functions.aftercare_triggers.plan import Verdict
from functions.aftercare_triggers.rules.rule import Rule
from functions.aftercare_triggers.stores import Stores
from functions.aftercare_triggers.waking import wake
from functions.shared import runtime
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.care import Episode
from functions.shared.errors import BadInput
from infra.care.backtest import Backtest, backtest
from infra.care.desk import CareDesk
from infra.care.preview import FIRES, Match, Preview, preview
from infra.cli.care_words import gate_words
from infra.cli.department import explained_file
from infra.cli.records import Endpoint, TableName
from infra.department.file import load

SHOWN = 20
STORM = 20
"""Firings on one day from which the storm guard asks, whatever was usual."""

APPROVED_FOR = timedelta(hours=24)

care_app = typer.Typer(help="Rules of aftercare: preview, backtest, explain, approve.", no_args_is_help=True)

RuleName = Annotated[str, typer.Argument(metavar="RULE", help="The rule's id.")]
File = Annotated[
    Path | None,
    typer.Option("--department", metavar="FILE", help="Take the rules from this file, which need not be applied yet."),
]
Sample = Annotated[int | None, typer.Option(min=4, help="Look at about so many clients only.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
At = Annotated[
    str | None,
    typer.Option(help="Another moment than now, ISO 8601 with its zone: a local stack has a time of its own."),
]


def open_stores(table: str, endpoint: str | None) -> Stores:
    @cache
    def client() -> Any:
        import boto3

        return boto3.client("dynamodb", endpoint_url=endpoint)

    return Stores.on(Table(client, table))


def _desk(table: str, endpoint: str | None, file: Path | None = None, at: str | None = None) -> CareDesk:
    rules: Sequence[Rule] | None = load(file).care.read if file else None
    return CareDesk.open(open_stores(table, endpoint), _moment(at), rules)


def _moment(at: str | None) -> datetime:
    if at is None:
        return runtime.current().clock.now()
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(f"--at {at}: write a moment with its zone, such as 2026-11-20T12:00+03:00")
    return moment.astimezone(UTC)


@care_app.command("preview")
def show_preview(
    rule: RuleName,
    table: TableName,
    *,
    department: File = None,
    at: At = None,
    sample: Sample = None,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Say for whom RULE is true now, and for how many it may become so within 14 days."""
    with explained_file():
        desk = _desk(table, endpoint, department, at)
        found = preview(desk.rule(rule), desk.sight, desk.clients(sample))
    if as_json:
        print(json.dumps(_preview_json(found, desk), indent=2, ensure_ascii=False))
    else:
        _print_preview(Console(markup=False), found, desk)


def _print_preview(console: Console, found: Preview, desk: CareDesk) -> None:
    share = f" ({len(found.matches) / found.seen:.0%})" if found.seen else ""
    console.print(f"{found.rule.id}: true for {len(found.matches)} of {found.seen} clients{share}.")
    if found.unjudged:
        console.print(f"{found.unjudged} cannot be judged: a feed that the rule needs has never told anything.")
    if found.matches:
        grid = Grid("client", "since", "manager", "would", "text")
        for match in found.matches[:SHOWN]:
            grid.add_row(*_row(match, desk))
        console.print(grid)
        _print_more(console, len(found.matches))
    firing = len(found.firing)
    console.print(
        f"With backfill: current, {firing} would get a task now; by default a new rule begins with what comes."
    )
    if firing > STORM:
        console.print(f"That is more than {STORM} on one day: the storm guard would hold them back for a yes.")
    coming = sum(found.coming.values())
    console.print(f"Within 14 days it may become true for {coming} more, if nobody comes back before (an upper bound):")
    _print_days(console, sorted(found.coming.items()))


def _row(match: Match, desk: CareDesk) -> tuple[str, ...]:
    zone = desk.sight.department.timezone
    until = f" until {_local(match.until, desk)}" if match.until else ""
    would = "fire" if match.gate == FIRES else f"not: {gate_words(match.gate)}{until}"
    since = match.since.astimezone(zone).strftime("%d.%m.%Y %H:%M")
    return str(match.client.id), since, desk.manager_of(match.client), would, match.text


@care_app.command("backtest")
def show_backtest(
    rule: RuleName,
    table: TableName,
    *,
    days: Annotated[int, typer.Option(min=1, max=400, help="How far back.")] = 90,
    by: Annotated[str, typer.Option(help="received: what would have fired; time: what should have.")] = "received",
    department: File = None,
    at: At = None,
    sample: Sample = None,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Play RULE over the last days: tasks a day, per manager, how many came back by themselves."""
    if by not in ("received", "time"):
        raise typer.BadParameter("write received or time", param_hint="--by")
    begun = time.perf_counter()
    with explained_file():
        desk = _desk(table, endpoint, department, at)
        found = backtest(desk.rule(rule), desk.sight, desk.clients(sample), timedelta(days=days), by_time=by == "time")
    if as_json:
        print(json.dumps(_backtest_json(found, desk), indent=2, ensure_ascii=False))
    else:
        _print_backtest(Console(markup=False), found, desk, time.perf_counter() - begun)


def _print_backtest(console: Console, found: Backtest, desk: CareDesk, seconds: float) -> None:
    tasks = [firing for firing in found.firings if not firing.is_held_out]
    days = found.days(desk.sight)
    console.print(
        f"{found.rule.id}: {len(found.firings)} firings in {len(days)} days, {len(tasks)} with a task,"
        f" {len(found.firings) - len(tasks)} in the hold-out."
    )
    _print_days(console, [(day, count) for day, count in days.items() if count])
    storms = [day for day, count in days.items() if count > STORM]
    if storms:
        console.print(f"On {len(storms)} days more than {STORM}: the storm guard may hold those back for a yes.")
    for manager, count in Counter(desk.manager_of(firing.client) for firing in tasks).most_common():
        console.print(f"  {manager}: {count} tasks")
    for gate, count in found.gates.most_common():
        console.print(f"  {count} without a task: {gate_words(gate)}")
    if found.returned is not None:
        console.print(f"Within a week {found.returned:.0%} came back, by themselves where nobody called them then.")
    console.print(f"{found.clients} clients, {found.facts} facts, {seconds:.1f} s. Feeds count as having been fresh.")


@care_app.command("explain")
def explain_client(
    client: Annotated[str, typer.Argument(metavar="CLIENT", help="The contact's id, or its address in amoCRM.")],
    table: TableName,
    *,
    department: File = None,
    at: At = None,
    endpoint: Endpoint = None,
) -> None:
    """Say of every rule whether it is true for CLIENT, what stands in its way, and what was done."""
    number = client.rstrip("/").rpartition("/")[2].partition("?")[0]
    if not number.isdecimal():
        raise typer.BadParameter("give the contact's id, the number in its address", param_hint="CLIENT")
    with explained_file():
        desk = _desk(table, endpoint, department, at)
        row, facts = desk.stores.clients.full(int(number))
        if not row.version and not facts:
            print(f"Nothing is known of client {number}: no fact, no sale, no hook told of this contact.")
            raise typer.Exit(1)
        plan = wake(
            row, desk.sight.person(row, facts, None), desk.sight.rules, desk.sight.scene, desk.sight.book.version
        )
        episodes = desk.stores.episodes.of(row.id)
    console = Console(markup=False)
    kinds = Counter(fact.type for fact in facts)
    console.print(f"Client {row.id}, zone {desk.sight.zone_of(row).key}, manager: {desk.manager_of(row)}.")
    console.print("Facts: " + (", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none") + ".")
    looked = "nothing to wait for" if plan.client.due_at is None else _local(plan.client.due_at, desk)
    console.print(f"Next look: {looked}.")
    for verdict in plan.verdicts:
        _print_verdict(console, verdict, desk)
    for episode in sorted(episodes, key=lambda each: each.decided_at):
        _print_episode(console, episode, desk)


def _print_verdict(console: Console, verdict: Verdict, desk: CareDesk) -> None:
    said = "true" if verdict.holds else "not true"
    since = f" since {_local(verdict.true_at, desk)}" if verdict.true_at else ""
    numbers = ", ".join(f"{name} {value}" for name, value in verdict.numbers.items())
    until = f" until {_local(verdict.until, desk)}" if verdict.until else ""
    console.print(
        f"\n{verdict.rule}, version {verdict.rule_version}: {said}{since}{f' ({numbers})' if numbers else ''}."
    )
    console.print(f"  {gate_words(verdict.gate)}{until}")
    if verdict.horizon is not None and verdict.horizon < desk.sight.now:
        console.print(f"  judged up to {_local(verdict.horizon, desk)}: its feeds have told no further")
    if verdict.evidence:
        console.print(f"  rests on: {', '.join(verdict.evidence)}")


def _print_episode(console: Console, episode: Episode, desk: CareDesk) -> None:
    ended = f", ended {_local(episode.ended_at, desk)}" if episode.ended_at else ""
    task = f", task {episode.task_id}" if episode.task_id else ""
    gate = f" ({gate_words(episode.gate)})" if episode.gate and episode.gate != FIRES else ""
    at = _local(episode.decided_at, desk)
    console.print(f"\n{at} {episode.rule} [{episode.anchor}]: {episode.status.value}{gate}{task}{ended}")


@care_app.command("approve")
def approve(rule: RuleName, table: TableName, *, endpoint: Endpoint = None) -> None:
    """Let RULE go that was held back because it fired too often: for a day, what waits and what comes."""
    with explained_file():
        desk = _desk(table, endpoint)
        until = desk.sight.now + APPROVED_FOR
        desk.stores.books.approve(desk.rule(rule).id, until)
        print(f"{rule} may fire as often as it will until {_local(until, desk)}; what waits goes within half an hour.")


def _print_days(console: Console, days: Sequence[tuple[Any, int]]) -> None:
    most = max((count for _, count in days), default=0)
    for day, count in days:
        console.print(f"  {day:%d.%m.%Y} {'█' * max(1, round(40 * count / most))} {count}")


def _print_more(console: Console, count: int) -> None:
    if count > SHOWN:
        console.print(f"… and {count - SHOWN} more (--json shows all)")


def _local(at: datetime | None, desk: CareDesk) -> str:
    return "" if at is None else at.astimezone(desk.sight.department.timezone).strftime("%d.%m.%Y %H:%M")


def _preview_json(found: Preview, desk: CareDesk) -> dict[str, Any]:
    return {
        "rule": found.rule.id,
        "clients": found.seen,
        "unjudged": found.unjudged,
        "matches": [
            {
                "client": match.client.id,
                "since": match.since.isoformat(),
                "manager": desk.manager_of(match.client),
                "gate": match.gate,
                "until": match.until.isoformat() if match.until else None,
                "text": match.text,
            }
            for match in found.matches
        ],
        "coming": {day.isoformat(): count for day, count in sorted(found.coming.items())},
    }


def _backtest_json(found: Backtest, desk: CareDesk) -> dict[str, Any]:
    return {
        "rule": found.rule.id,
        "since": found.since.isoformat(),
        "until": found.until.isoformat(),
        "clients": found.clients,
        "facts": found.facts,
        "days": {day.isoformat(): count for day, count in found.days(desk.sight).items()},
        "returned_within_a_week": found.returned,
        "without_a_task": dict(found.gates),
        "firings": [
            {
                "client": firing.client.id,
                "at": firing.at.isoformat(),
                "anchor": firing.anchor,
                "manager": desk.manager_of(firing.client),
                "held_out": firing.is_held_out,
                "returned_at": firing.returned_at.isoformat() if firing.returned_at else None,
            }
            for firing in found.firings
        ],
    }
