"""`conveyor events`: facts from a table, and facts of people whom nobody knows yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table as Grid

from functions.activity_intake.normalising import Speaker
from functions.activity_intake.sources import Sources
from functions.activity_intake.taking import CareDoor, Stores, Taking
from functions.aftercare_triggers.contacts import Contacts as KnownContacts
from functions.aftercare_triggers.sight import Sight
from functions.aftercare_triggers.stores import Stores as CareStores
from functions.shared import runtime
from functions.shared.adapters.aws.care_door import CareDoor as CareQueue
from functions.shared.adapters.aws.secrets import Parameters
from functions.shared.adapters.dynamodb.departments import Departments
from functions.shared.adapters.dynamodb.identities import Identities, Parked
from functions.shared.adapters.dynamodb.table import Table
from functions.shared.errors import BadInput
from infra.cli.merges import BaseUrl, Token, open_amocrm
from infra.cli.records import Endpoint, TableName, explained
from infra.cli.sources import PROD, Stage
from infra.department.amocrm import open_client
from infra.events.contacts import all_contacts, learn_all
from infra.events.importing import Collected, Progress, outlook, read_lines, store, tells_by_itself
from infra.events.report import print_outcomes, print_reading, shown
from infra.events.review import assign as assign_facts
from infra.events.review import chosen
from infra.events.rows import Columns, Reader, RowError, moment_of
from infra.events.table_file import TableFile, read_table

events_app = typer.Typer(help="Facts: import a table, name the unknown.", no_args_is_help=True)

PREFIX = 12
"""Letters of a hash that a person has to copy."""

QueueUrl = Annotated[
    str, typer.Option("--queue-url", envvar="CARE_QUEUE_URL", help="The care queue (output CareQueueUrl of the stack).")
]


@events_app.command("import")
@explained()
def import_file(
    file: Annotated[Path, typer.Argument(help="A table with headings, as docs/intake.md tells.", metavar="FILE.csv")],
    table: TableName,
    stage: Stage = PROD,
    queue_url: QueueUrl = "",
    source: Annotated[str, typer.Option(help="Whose facts these are: the feed's name in department.yaml.")] = "csv",
    event: Annotated[str, typer.Option(help="What every row is, where no column says it: покупка.")] = "",
    timezone: Annotated[str, typer.Option(help="Zone of the table's times; the department's by default.")] = "",
    complete_until: Annotated[
        str, typer.Option(help="Up to when the file has everything; its newest fact by default.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only tell what would be done.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Store the facts of a table. Without --yes nothing is written. The same file again changes nothing."""
    if yes and not queue_url:
        raise BadInput("give --queue-url, the output CareQueueUrl: clients whom the facts concern are looked at")
    office = Office(table, stage, endpoint)
    zone = office.zone(timezone)
    known = _table_of(file)
    columns = Columns.of(known.headings, event)
    written_at = min(datetime.fromtimestamp(file.stat().st_mtime, UTC), office.now)
    reader = Reader(columns, zone, written_at, office.identity_key(), event)
    reading = read_lines(known.rows, reader, Speaker(source, office.department.country), office.now)
    print_reading(known, columns, reading, zone)
    feed = office.stores.feeds.all().get(source)
    until = _moment(complete_until, zone) if complete_until else reading.ends_at
    if tells_by_itself(feed) and not complete_until:
        until = None
        print(f"«{source}» tells facts by itself: how far it is complete stays as it is.")
    if not yes:
        with _progress(len(reading.lines)) as progress:
            outcomes = outlook(reading, office.taking(Collected()), office.now, progress)
        print_outcomes(outcomes)
        if until is not None:
            print(f"«{source}» would be complete until {shown(min(until, office.now), zone)}.")
        print("Nothing was written. With --yes it is.")
        return
    collected, care = Collected(), office.care(queue_url)
    with _progress(len(reading.lines)) as progress:
        done = store(
            reading, office.stores, office.taking(collected), collected, care, source, until, office.now, progress
        )
    print_outcomes(done.outcomes)
    if done.complete_until is not None:
        print(f"«{source}» is complete until {shown(done.complete_until, zone)}.")
    print(f"Clients who are looked at now: {done.wakes}.")


@events_app.command("contacts")
@explained()
def contacts(
    base_url: BaseUrl,
    token: Token,
    table: TableName,
    queue_url: QueueUrl,
    stage: Stage = PROD,
    endpoint: Endpoint = None,
) -> None:
    """Learn who is behind the phones and e-mails of all contacts in amoCRM; once, before the first facts come by phone.
    Later changes are told by the webhook."""
    office = Office(table, stage, endpoint)
    key = office.identity_key()
    found = all_contacts(open_client(base_url, token, runtime.current().clock))
    stores = CareStores.on(_table(table, endpoint))
    sight = Sight(office.department, stores.books.current(), (), {}, office.now)
    amocrm = open_amocrm(base_url, token, runtime.current().clock)
    with _progress(len(found)) as progress:
        changed = learn_all(KnownContacts(amocrm, stores, lambda: key), sight, found, progress)
    office.care(queue_url).wake(changed, office.now)
    print(f"{len(found)} contacts are known; of {len(changed)} something new: they are looked at now.")


@events_app.command("review")
@explained()
def review(
    table: TableName,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """List facts of people whom nobody knows, by the hash of what they were known by; the most facts first."""
    records = _table(table, endpoint)
    identities, zone = Identities(records), Departments(records).current().timezone
    waiting = identities.parked()
    known = identities.clients_of(each.hashed for each in waiting)
    if as_json:
        listed = [_as_json(each, known.get(each.hashed, frozenset())) for each in waiting]
        print(json.dumps(listed, indent=2))
        return
    if not waiting:
        print("Everybody is known.")
        return
    grid = Grid("hash", "facts", "first", "last", "sources", "could be", "is known by now as")
    for each in waiting:
        row = (each.hashed[:PREFIX], str(each.facts), shown(each.first_at, zone), shown(each.last_at, zone))
        clients = known.get(each.hashed, frozenset())
        grid.add_row(*row, ", ".join(sorted(each.sources)), _listed(each.candidates), _listed(clients))
    Console(markup=False).print(grid)
    print("`conveyor events assign HASH CLIENT` says who it is: the id of the contact in amoCRM.")


@events_app.command("assign")
@explained()
def assign(
    hashed: Annotated[str, typer.Argument(help="The hash, or how it begins, from `review`.", metavar="HASH")],
    table: TableName,
    queue_url: QueueUrl,
    client: Annotated[
        int | None,
        typer.Argument(min=1, help="Contact in amoCRM; may be left out where one is known.", metavar="[CLIENT]"),
    ] = None,
    endpoint: Endpoint = None,
) -> None:
    """Say whose facts these are. What comes under the same hash later is his too, unless several share it."""
    office_table = _table(table, endpoint)
    stores, now = Stores.on(office_table), runtime.current().clock.now()
    parked = chosen(stores.identities.parked(), hashed)
    done = assign_facts(stores, parked, client, CareQueue(_client("sqs", endpoint), queue_url), now)
    print(f"{done.facts} facts are those of contact {done.client} now, and he is looked at.")
    if done.is_learned:
        print("What comes under this hash from now on is his.")
    else:
        print("Several contacts share what is behind this hash: the next facts wait for you again.")


class Office:
    """What an import needs of the installation."""

    def __init__(self, table: str, stage: str, endpoint: str | None) -> None:
        records = _table(table, endpoint)
        self._endpoint = endpoint
        self._clock = runtime.current().clock
        self.stores = Stores.on(records)
        self.department = Departments(records).current()
        self.now = self._clock.now()
        secrets = Parameters(_client("ssm", endpoint), f"/conveyor/{stage}")
        self.identity_key = Sources(secrets, self._clock).identity_key

    def taking(self, care: CareDoor) -> Taking:
        return Taking(self.stores, self.identity_key, care, self._clock)

    def care(self, queue_url: str) -> CareQueue:
        return CareQueue(_client("sqs", self._endpoint), queue_url)

    def zone(self, name: str) -> ZoneInfo:
        if not name:
            return self.department.timezone
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise BadInput(f"--timezone {name}: give an IANA zone such as Europe/Moscow") from None


def _table(name: str, endpoint: str | None) -> Table:
    return Table(_client("dynamodb", endpoint), name)


def _client(service: str, endpoint: str | None) -> Any:
    @cache
    def client() -> Any:
        import boto3

        return boto3.client(service, endpoint_url=endpoint)

    return client


def _table_of(file: Path) -> TableFile:
    try:
        return read_table(file.read_bytes())
    except OSError as error:
        raise BadInput(f"{file.name} cannot be read: {error.strerror}") from error


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        return moment_of(text, zone)
    except RowError as error:
        raise BadInput(f"--complete-until: {error}") from None


@contextmanager
def _progress(total: int) -> Iterator[Progress]:
    """A bar for people; nothing where the output is no terminal."""
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("rows", total=total)
        yield lambda rows: bar.advance(task, rows)


def _as_json(parked: Parked, known: frozenset[int]) -> dict[str, object]:
    return {
        "hash": parked.hashed,
        "facts": parked.facts,
        "first_at": parked.first_at.isoformat(),
        "last_at": parked.last_at.isoformat(),
        "sources": sorted(parked.sources),
        "candidates": sorted(parked.candidates),
        "known_as": sorted(known),
    }


def _listed(clients: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(clients))) or "–"
