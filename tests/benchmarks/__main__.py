"""`make bench`: every figure that the README states, beside its baseline or floor. Not a test: it judges nothing.

`python -m tests.benchmarks burst capacity` runs only those.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import burst, capacity, care, cold_start, fairness, intake, meetings, routing

os.environ |= {"POWERTOOLS_LOG_LEVEL": "CRITICAL", "POWERTOOLS_METRICS_DISABLED": "true"}  # tables, not log lines

RESULTS = Path(__file__).parents[2] / "bench" / "results"
BENCHES: dict[str, Callable[[], dict[str, Any]]] = {
    "fairness": fairness.run,
    "burst": burst.run,
    "routing": routing.run,
    "capacity": capacity.run,
    "care": care.run,
    "intake": intake.run,
    "meetings": meetings.run,
    "cold_start": cold_start.run,
}


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    console = Console()
    for name in wanted or BENCHES:
        started = time.monotonic()
        result = BENCHES[name]()
        (RESULTS / f"{name}.json").write_text(json.dumps(result, ensure_ascii=False, indent=2), encoding="utf-8")
        console.rule(f"{name}, {time.monotonic() - started:.0f} s")
        if "rows" in result:
            console.print(_table(result["rows"]))
            if "split" in result:
                console.print(_table(result["split"]))
            for note in ("goal", "goal_time", "baseline"):
                if note in result:
                    console.print(f"{note.replace('_', ' ')}: {result[note]}")
    return 0


def _table(rows: list[dict[str, Any]]) -> Table:
    columns = [name for name in {key: None for row in rows for key in row} if not isinstance(rows[0].get(name), dict)]
    table = Table(*(column.replace("_", " ") for column in columns))
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
