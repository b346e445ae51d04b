"""`conveyor merges`: which leads were merged, which would be, and how to take a merge back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from functions.qualify_router.merge_plan import gain
from functions.qualify_router.merge_writing import EPOCH
from functions.qualify_router.merging import Choice, Leave, MergeInto, Suggest, choose
from functions.qualify_router.undoing import Undoing
from functions.shared import runtime
from functions.shared.clock import Clock
from functions.shared.crm import Lead
from functions.shared.department import Department
from functions.shared.merge import Merge, State
from functions.shared.twins import TwinSearch
from infra.cli.merge_words import english_reason, in_english
from infra.cli.records import Endpoint, Records, TableName, explained, open_records

if TYPE_CHECKING:
    from functions.shared.ports import AmoCrm

UNDOABLE = (State.PENDING, State.DONE, State.UNDOING)
SEARCHES = 60
"""Searches for phones and e-mails in one preview: twelve seconds at this command's pace."""

merges_app = typer.Typer(help="Merged duplicates: list, undo, preview.", no_args_is_help=True)

BaseUrl = Annotated[str, typer.Option(envvar="AMOCRM_BASE_URL", help="https://<account>.amocrm.ru")]
Token = Annotated[str, typer.Option(envvar="AMOCRM_TOKEN", help="An administrator's token.")]


def open_amocrm(base_url: str, token: str, clock: Clock) -> AmoCrm:
    """amoCRM with a handed-in token, at this command's own pace."""
    from functions.shared.adapters.amocrm.rest import HttpAmoCrm
    from infra.department.amocrm import ConsoleTelemetry, open_client

    return HttpAmoCrm(open_client(base_url, token, clock), clock, ConsoleTelemetry())


@merges_app.command("list")
@explained()
def list_merges(
    table: TableName,
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back, today included.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Show the merges of the last days, the latest first; dry runs too."""
    records = open_records(table, endpoint)
    department = records.departments.current()
    today = runtime.current().clock.now().astimezone(department.timezone).date()
    merges = records.merges.of_days((today - timedelta(days=back)).isoformat() for back in range(days))
    if as_json:
        print(json.dumps([_as_json(merge, department) for merge in merges], indent=2, ensure_ascii=False))
    elif merges:
        _print_table(merges, department)
        done = sum(merge.state in UNDOABLE and merge.day == today.isoformat() for merge in merges)
        print(f"Today {done} of at most {department.merging.per_day} (merging: {department.merging.mode.value}).")
    else:
        print(f"No merges in the last {days} days (merging: {department.merging.mode.value}).")


@merges_app.command("undo")
@explained()
def undo_merges(
    *,
    lead_ids: Annotated[list[int] | None, typer.Argument(help="Leads that were merged into others.")] = None,
    day: Annotated[str, typer.Option(help="All merges of a day of the department, e.g. 2026-11-23.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    base_url: BaseUrl,
    token: Token,
    table: TableName,
    endpoint: Endpoint = None,
) -> None:
    """Make merged leads leads of their own again. Safe to repeat: what was interrupted is completed."""
    records, clock = open_records(table, endpoint), runtime.current().clock
    department = records.departments.current()
    merges = _merges_of_day(records, day) if day else [_merge_of(records, lead_id) for lead_id in lead_ids or []]
    if bool(day) == bool(lead_ids):
        raise typer.BadParameter("name the leads, or --day with a date")
    if day and not merges:
        print(f"Nothing to undo on {day}.")
        return
    if day and not yes:
        _print_table(merges, department)
        typer.confirm(f"Undo these merges ({len(merges)})?", abort=True)
    amocrm = open_amocrm(base_url, token, clock)
    undoing = Undoing(amocrm=amocrm, merges=records.merges, clock=clock, base_url=base_url)
    if not _undo(undoing, merges, department):
        raise typer.Exit(1)


@merges_app.command("preview")
@explained()
def preview(
    lead_ids: Annotated[list[int], typer.Argument(help="Leads to look at.")],
    *,
    asked: Annotated[bool, typer.Option("--asked", help="As if a person called them duplicates.")] = False,
    base_url: BaseUrl,
    token: Token,
    table: TableName,
    endpoint: Endpoint = None,
) -> None:
    """Say what would be merged into what, and what would go over; nothing is written."""
    records = open_records(table, endpoint)
    amocrm = open_amocrm(base_url, token, runtime.current().clock)
    department = in_english(records.departments.current())
    leads = amocrm.leads(lead_ids)
    for missing in sorted(set(lead_ids) - leads.keys()):
        print(f"{missing}: there is no such lead.")
    apart = records.merges.apart_of(leads)
    twins = TwinSearch(amocrm, department.country).clients(leads.values(), SEARCHES).twins
    for lead_id, lead in leads.items():
        if lead_id not in twins:
            print(f"{lead_id}: could not be compared: a contact is hidden, or these are too many leads at once.")
            continue
        choice = choose(lead, twins[lead_id], department, asked=asked, suggested=(), apart=apart[lead_id])
        print(f"{lead_id}: {_verdict(choice)}")
        if isinstance(choice, MergeInto):
            print(f"  {_cargo(amocrm, lead, choice.survivor, department)}")


def _verdict(choice: Choice) -> str:
    match choice:
        case MergeInto(survivor, why):
            return f"would be merged into {survivor.id} ({why.value})."
        case Suggest(twins):
            return f"would be suggested to a person: {', '.join(str(twin.lead.id) for twin in twins)}."
        case Leave(reason):
            return f"no duplicate{f' ({reason})' if reason else ''}."


def _cargo(amocrm: AmoCrm, lead: Lead, survivor: Lead, department: Department) -> str:
    """What would go over, in numbers."""
    gained = gain(survivor, lead, department)
    open_tasks = sum(not task.is_completed for task in amocrm.tasks_since([lead.id], EPOCH))
    what = {
        "contacts": len(gained.contacts),
        "tags": len(gained.tags),
        "fields": len(gained.fields),
        "price": int(bool(gained.price)),
        "company": int(bool(gained.company)),
        "notes": len(amocrm.notes_since([lead.id], EPOCH)),
        "open tasks": open_tasks,
        "values only into a note": len(gained.differing) + bool(gained.other_price) + bool(gained.other_company),
    }
    return f"Goes over: {', '.join(f'{name} {count}' for name, count in what.items() if count) or 'nothing'}."


def _merge_of(records: Records, lead_id: int) -> Merge:
    merges = [merge for merge in records.merges.of_lead(lead_id) if merge.state in UNDOABLE]
    if not merges:
        raise typer.BadParameter(f"lead {lead_id} was not merged into another, or that is undone already")
    return merges[0]


def _merges_of_day(records: Records, day: str) -> list[Merge]:
    try:
        date.fromisoformat(day)
    except ValueError:
        raise typer.BadParameter(f"{day!r} is no date: write 2026-11-23") from None
    return [merge for merge in records.merges.of_days([day]) if merge.state in UNDOABLE]


def _undo(undoing: Undoing, merges: Sequence[Merge], department: Department) -> bool:
    """Whether all of them could be undone."""
    complete = True
    for merge in _in_order(merges):
        undone = undoing.undo(merge, department)
        pair = f"{merge.duplicate_id} from {merge.survivor_id}"
        print(f"{pair}: not undone, {undone.refused}" if undone.refused else f"{pair}: undone")
        for line in undone.left:
            print(f"  {line}")
        complete = complete and not undone.refused
    return complete


def _in_order(merges: Iterable[Merge]) -> list[Merge]:
    """The latest first, and a lead that was merged on with another in it before that other."""
    ordered = sorted(merges, key=lambda merge: merge.at, reverse=True)
    further = {merge.duplicate_id: merge for merge in ordered}

    def depth(merge: Merge, seen: frozenset[int] = frozenset()) -> int:
        if merge.survivor_id not in further or merge.survivor_id in seen:
            return 0
        return 1 + depth(further[merge.survivor_id], seen | {merge.survivor_id})

    return sorted(ordered, key=depth)


def _print_table(merges: Iterable[Merge], department: Department) -> None:
    table = Table("when", "lead", "went into", "because", "state", "what the other got")
    for merge in merges:
        when = f"{merge.at.astimezone(department.timezone):%Y-%m-%d %H:%M}"
        reason = english_reason(merge.reason, department)
        state = f"{merge.state.value}: {reason}" if reason else merge.state.value
        table.add_row(when, str(merge.duplicate_id), str(merge.survivor_id), merge.why.value, state, _added(merge))
    Console(markup=False).print(table)  # names of tags are the firm's, and may hold brackets


def _added(merge: Merge) -> str:
    added = merge.added
    what = {
        "contacts": len(added.contacts),
        "company": int(bool(added.company)),
        "tags": ", ".join(added.tags),
        "fields": len(added.fields),
        "price": int(added.price),
        "tasks": len(added.tasks),
    }
    return "; ".join(f"{name} {value}" for name, value in what.items() if value)


def _as_json(merge: Merge, department: Department) -> dict[str, object]:
    added = merge.added
    return {
        "duplicate": merge.duplicate_id,
        "survivor": merge.survivor_id,
        "why": merge.why.value,
        "at": merge.at.isoformat(),
        "day": merge.day,
        "state": merge.state.value,
        "reason": english_reason(merge.reason, department),
        "pipeline": merge.place[0],
        "stage": merge.place[1],
        "owner": merge.owner,
        "added": {
            "contacts": list(added.contacts),
            "company": added.company,
            "tags": list(added.tags),
            "fields": list(added.fields),
            "price": added.price,
            "tasks": list(added.tasks),
        },
    }
