"""What a table says, and what became of its rows, for a person; no cell is shown."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

from functions.activity_intake.answers import Outcome
from infra.events.importing import Reading
from infra.events.rows import Columns
from infra.events.table_file import TableFile

SHOWN = 20
"""Invalid rows that are shown one by one."""


def print_reading(known: TableFile, columns: Columns, reading: Reading, zone: ZoneInfo) -> None:
    separator = {"\t": "tab"}.get(known.separator, known.separator)
    print(f"{len(known.rows)} rows, {known.encoding.upper()}, columns divided by {separator}, times in {zone.key}")
    print("Columns: " + ", ".join(f"«{heading}» is {name}" for name, heading in columns.known.items()))
    for headings, fate in (
        (columns.kept, "kept as data"),
        (columns.left_out, "left out: names and notes are not kept"),
    ):
        if headings:
            print(f"  {', '.join(f'«{heading}»' for heading in headings)}: {fate}")
    for kind, count in Counter(fact.type for fact in reading.facts).most_common():
        print(f"  {kind}: {count}")
    times = sorted(fact.time for fact in reading.facts)
    if times:
        print(f"From {shown(times[0], zone)} to {shown(times[-1], zone)}")
    if reading.twice:
        print(f"Rows that say the same as an earlier one, and count once: {reading.twice}")
    for line, reason in reading.invalid[:SHOWN]:
        print(f"  line {line}: {reason}")
    if len(reading.invalid) > SHOWN:
        print(f"  … and {len(reading.invalid) - SHOWN} more that cannot be used")


def print_outcomes(outcomes: Counter[Outcome]) -> None:
    words = {
        Outcome.ACCEPTED: "of known clients",
        Outcome.DUPLICATE: "known before",
        Outcome.UNIDENTIFIED: "of people whom nobody knows (`conveyor events review`)",
        Outcome.INVALID: "invalid",
    }
    print("Rows " + ", ".join(f"{words[each]}: {outcomes[each]}" for each in words if outcomes[each]) + ".")


def shown(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
