"""How broad everything is: the tracks of the arrows between the columns, and so the places of the columns. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate

from infra.department.diagram.chart import Chart
from infra.department.diagram.links import LEFT, RIGHT, Link, Net
from infra.department.diagram.stack import BOX_WIDTH, INSET, LANE, STEP, Stack, stepped
from infra.department.diagram.tracks import Run, assign

MARGIN = 20
TRACK_PITCH = 11
STUB = 21
"""Between a box and the first track: the arrowhead, and a corner."""
ARROWHEAD = 10
MARK_GAP = 3
"""On both sides of a mark, which stands between the arrowhead and the tracks."""
GROUND_INSET = 10


class Gutters:
    """Gutter n is left of column n; the first and the last are the margins' neighbours."""

    def __init__(self, chart: Chart, links: Sequence[Link], stack: Stack, mark_width: int) -> None:
        self._links = links
        self._stack = stack
        self._mark_width = mark_width
        columns = enumerate(chart.columns)
        self._column_of = {box.id: at for at, column in columns for block in column for box in block.boxes}
        self._last = len(chart.columns) - 1
        self._tracks = [assign(runs) for runs in self._runs()]
        widths = [self._width(at) for at in range(len(chart.columns) + 1)]
        self.lefts = list(accumulate((BOX_WIDTH + width for width in widths[1:-1]), initial=MARGIN + widths[0]))
        """Of the columns."""
        self.right = self.lefts[-1] + BOX_WIDTH + widths[-1]

    @cached_property
    def lanes(self) -> dict[Net, int]:
        """Heights of the lanes below the middle column, for the arrows between the outer ones."""
        passing = dict.fromkeys(link.net for link in self._links if link.exit_gutter != link.entry_gutter)
        first = stepped(self._stack.bottoms[1] + INSET + GROUND_INSET) + LANE
        return {net: first + number * STEP for number, net in enumerate(passing)}

    def left_of(self, box: str) -> int:
        return self.lefts[self._column_of[box]]

    def edge(self, box: str, side: str) -> int:
        return self.left_of(box) + (BOX_WIDTH if side == RIGHT else 0)

    def track(self, at: int, net: Net) -> int:
        """Where the net runs in a gutter."""
        number = next(number for number, runs in enumerate(self._tracks[at]) if any(run.key == net for run in runs))
        first = self.lefts[at - 1] + BOX_WIDTH + self._zone(at - 1, RIGHT) if at else MARGIN + GROUND_INSET
        return first + number * TRACK_PITCH

    def inset(self, column: int, side: str) -> int:
        """From the boxes to the edge of their ground; the marks stand astride that edge."""
        return ARROWHEAD + MARK_GAP + self._mark_width // 2 if (column, side) in self._marked else GROUND_INSET

    @cached_property
    def _marked(self) -> set[tuple[int, str]]:
        handing_over = (link.entry for link in self._links if link.net.hands_over)
        return {(self._column_of[entry.box], entry.side) for entry in handing_over}

    def _zone(self, column: int, side: str) -> int:
        """From the boxes to the nearest track."""
        return STUB + (self._mark_width + MARK_GAP if (column, side) in self._marked else 0)

    def _width(self, at: int) -> int:
        sides = [(at - 1, RIGHT)] if at > 0 else []
        sides += [(at, LEFT)] if at <= self._last else []
        is_outer = len(sides) == 1
        if not self._tracks[at]:
            return sum(self.inset(*side) for side in sides) + (0 if is_outer else STEP)
        zones = sum(self._zone(*side) for side in sides) + (GROUND_INSET if is_outer else 0)
        return zones + (len(self._tracks[at]) - 1) * TRACK_PITCH

    def _runs(self) -> list[list[Run]]:
        """By gutter."""
        joints: list[dict[Net, dict[str, set[int]]]] = [
            defaultdict(lambda: {LEFT: set(), RIGHT: set()}) for _ in range(self._last + 2)
        ]
        for link in self._links:
            # what is at the right side of a box comes into the gutter from its left
            joints[link.exit_gutter][link.net][_opposite(link.exit.side)].add(self._stack.exits[link.exit])
            joints[link.entry_gutter][link.net][_opposite(link.entry.side)].add(self._stack.entries[link.entry])
            if link.exit_gutter != link.entry_gutter:
                joints[1][link.net][RIGHT].add(self.lanes[link.net])
                joints[2][link.net][LEFT].add(self.lanes[link.net])
        return [
            [Run(net, frozenset(sides[LEFT]), frozenset(sides[RIGHT])) for net, sides in runs.items()]
            for runs in joints
        ]


def _opposite(side: str) -> str:
    return LEFT if side == RIGHT else RIGHT
