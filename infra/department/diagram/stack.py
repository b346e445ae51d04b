"""How high everything is: the boxes of each column one below the other, with a height for each arrow at their sides.

No two arrows share a height where they could meet: rows and entries are some way apart, and the remainders by STEP
differ between left sides, right sides, and the lanes below the middle column. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from infra.department.diagram.chart import Box, Chart, Style
from infra.department.diagram.geometry import Font
from infra.department.diagram.links import LEFT, RIGHT, Entry, Exit, Link, entries_of
from infra.department.diagram.text import Wrapped, wrap

BOX_WIDTH = 248
INSET = 12
NOTE_INSET = 18
"""Left of a note's text is its sign."""

PIPELINE = Font(16, 21, True)
STAGE = Font(13, 17, True)
ROW = Font(12, 15)

STEP = 10
REMAINDERS = {RIGHT: 2, LEFT: 8}
LANE = 5
ENTRY_PITCH = 2 * STEP
BOX_GAP, BLOCK_GAP, TITLE_GAP = STEP, 3 * STEP, STEP
TITLE_LINES, STAGE_LINES, ROW_LINES = 2, 3, 5


@dataclass(frozen=True)
class RowFrame:
    y: int
    height: int
    text: Wrapped


@dataclass(frozen=True)
class BoxFrame:
    """`title` takes the whole head; `about` is a line of its own below it; rows follow."""

    y: int
    height: int
    title: RowFrame
    about: RowFrame | None
    rows: tuple[RowFrame, ...]


@dataclass
class Stack:
    boxes: dict[str, BoxFrame] = field(default_factory=dict)
    titles: dict[str, RowFrame] = field(default_factory=dict)
    """Of the pipelines, by role."""
    entries: dict[Entry, int] = field(default_factory=dict)
    exits: dict[Exit, int] = field(default_factory=dict)
    bottoms: list[int] = field(default_factory=list)
    """Of the columns."""


def stack(chart: Chart, links: Sequence[Link], top: int) -> Stack:
    """Everything below `top`, which is a multiple of STEP."""
    placed = Stack()
    for column in chart.columns:
        y = top
        for block in column:
            title = wrap(block.title, PIPELINE.size, BOX_WIDTH, TITLE_LINES, bold=True)
            height = stepped(max(1, len(title.lines)) * PIPELINE.line)
            placed.titles[block.role] = RowFrame(y, height, title)
            y += height + TITLE_GAP
            for box in block.boxes:
                _place(placed, box, links, y)
                y += placed.boxes[box.id].height + BOX_GAP
            y += BLOCK_GAP - BOX_GAP
        placed.bottoms.append(y - BLOCK_GAP)
    return placed


def _place(placed: Stack, box: Box, links: Sequence[Link], y: int) -> None:
    title = wrap(box.title, STAGE.size, BOX_WIDTH - 2 * INSET, STAGE_LINES, bold=True)
    entries = {side: entries_of(links, box.id, side) for side in REMAINDERS}
    most = max(map(len, entries.values()))
    head_height = max(stepped(max(1, len(title.lines)) * STAGE.line + 10), ENTRY_PITCH * most + STEP)
    for side, at_side in entries.items():
        first = y + (head_height - ENTRY_PITCH * (len(at_side) - 1)) // 2
        for number, entry in enumerate(at_side):
            placed.entries[entry] = _nearest(first + number * ENTRY_PITCH, side)
    below = y + head_height
    about = _row(box.about, below, BOX_WIDTH - 2 * INSET) if box.about else None
    below += about.height if about else 0
    rows: list[RowFrame] = []
    for number, row in enumerate(box.rows):
        room = BOX_WIDTH - 2 * INSET - (NOTE_INSET if row.style is Style.NOTE else 0)
        rows.append(_row(row.text, below, room))
        for side in REMAINDERS:
            placed.exits[Exit(box.id, side, number)] = _nearest(below + rows[-1].height // 2, side)
        below += rows[-1].height
    placed.boxes[box.id] = BoxFrame(y, below - y, RowFrame(y, head_height, title), about, tuple(rows))


def _row(text: str, y: int, room: float) -> RowFrame:
    wrapped = wrap(text, ROW.size, room, ROW_LINES)
    return RowFrame(y, stepped(max(1, len(wrapped.lines)) * ROW.line + 5), wrapped)


def stepped(height: int) -> int:
    """The next multiple of STEP."""
    return -(-height // STEP) * STEP


def _nearest(height: int, side: str) -> int:
    """The height with the side's remainder that is nearest."""
    return (height - REMAINDERS[side] + STEP // 2) // STEP * STEP + REMAINDERS[side]
