"""Which arrows there are, and at which sides of the boxes they begin and end. Pure; nothing has a place yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from infra.department.diagram.chart import Chart, Row, Style

LEFT, RIGHT = "left", "right"


class Net(NamedTuple):
    """Arrows that are drawn as one where they run together: of one route, with the same effect."""

    route: str
    style: Style
    hands_over: bool


class Entry(NamedTuple):
    """Where a net ends: at a side of a box."""

    box: str
    side: str
    net: Net


class Exit(NamedTuple):
    """Where an arrow begins: at a side of a box's row, counted from 0."""

    box: str
    side: str
    row: int


@dataclass(frozen=True)
class Link:
    """One arrow. Gutters are counted from the left: gutter n is left of column n."""

    net: Net
    row: Row
    exit: Exit
    entry: Entry
    exit_gutter: int
    entry_gutter: int


def links_of(chart: Chart) -> list[Link]:
    """All arrows, in the order of the boxes."""
    columns = {box.id: at for at, column in enumerate(chart.columns) for block in column for box in block.boxes}
    return [
        _link(columns, row, Exit(box.id, _exit_side(columns[box.id], columns[target]), at), target)
        for box in chart.boxes
        for at, row in enumerate(box.rows)
        for target in row.targets
    ]


def _link(columns: dict[str, int], row: Row, leaving: Exit, target: str) -> Link:
    here, there = columns[leaving.box], columns[target]
    net = Net(row.route, row.style, target in row.hands_over)
    # within a column an arrow comes back to the side that it left
    side = leaving.side if here == there else LEFT if leaving.side == RIGHT else RIGHT
    return Link(net, row, leaving, Entry(target, side, net), gutter(here, leaving.side), gutter(there, side))


def _exit_side(here: int, there: int) -> str:
    """Towards the target; within a column to the outside, of the middle one to the right."""
    return RIGHT if there > here or (there == here and here > 0) else LEFT


def gutter(column: int, side: str) -> int:
    return column if side == LEFT else column + 1


def entries_of(links: Iterable[Link], box: str, side: str) -> list[Entry]:
    """The entries at a side of a box from top to bottom: in the order of the boxes that they come from."""
    return list(dict.fromkeys(link.entry for link in links if (link.entry.box, link.entry.side) == (box, side)))
