"""Where everything in the picture is. Pure: the same chart gives the same picture.

Three columns of boxes with gutters between them. An arrow leaves a box at the side of one of its rows, runs up or down
on a track of the gutter, and enters its target at the side of the head; from one outer column to the other it passes
on a lane below the middle one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from infra.department.diagram.chart import Box, Chart, Style, TeamLabel
from infra.department.diagram.geometry import (
    Band,
    Font,
    Label,
    Mark,
    Picture,
    PlacedArrow,
    PlacedBox,
    PlacedLegend,
    PlacedRow,
    Point,
    Rect,
    label,
)
from infra.department.diagram.gutters import ARROWHEAD, MARGIN, MARK_GAP, Gutters
from infra.department.diagram.legend import MARK, MARK_HEIGHT, MARK_INSET, place_legend
from infra.department.diagram.links import LEFT, RIGHT, Link, links_of
from infra.department.diagram.stack import (
    BOX_WIDTH,
    INSET,
    NOTE_INSET,
    PIPELINE,
    ROW,
    STAGE,
    RowFrame,
    stack,
    stepped,
)
from infra.department.diagram.text import width_of

TITLE, SUBTITLE = Font(22, 28, True), Font(14, 20)
TITLE_ROOM = 3 * BOX_WIDTH
TEAM_NAME, TEAM_ABOUT = Font(15, 20, True), Font(12.5, 17)
TEAM_HEAD = 50


def lay_out(chart: Chart) -> Picture:
    return _Layout(chart).picture()


class _Layout:
    """One layout: first the heights, which decide the tracks, which decide how broad the gutters are."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._links = links_of(chart)
        self._titles = tuple(_titles(chart))
        self._head_top = stepped(int(self._titles[-1].rect.bottom) + INSET)
        self._stack = stack(chart, self._links, self._head_top + stepped(TEAM_HEAD + INSET))
        self._mark_width = round(width_of(chart.hand_over, MARK.size, bold=True)) + 2 * MARK_INSET
        self._gutters = Gutters(chart, self._links, self._stack, self._mark_width)

    def picture(self) -> Picture:
        legend = self._legend()
        bottom = max(legend.rect.bottom, *(bottom + INSET for bottom in self._stack.bottoms))
        return Picture(
            width=self._gutters.right + MARGIN,
            height=bottom + MARGIN,
            titles=self._titles,
            bands=tuple(self._bands()),
            pipeline_titles=tuple(self._pipeline_titles()),
            boxes=tuple(self._box(box) for box in self._chart.boxes),
            arrows=tuple(self._arrow(link) for link in self._links),
            marks=tuple(self._marks()),
            legend=legend,
        )

    def _pipeline_titles(self) -> Iterator[Label]:
        for left, column in zip(self._gutters.lefts, self._chart.columns, strict=True):
            for block in column:
                yield _placed(self._stack.titles[block.role], PIPELINE, left)

    def _box(self, box: Box) -> PlacedBox:
        frame, left = self._stack.boxes[box.id], self._gutters.left_of(box.id)
        about = [_placed(frame.about, ROW, left + INSET)] if frame.about else []
        rows = []
        for row, row_frame in zip(box.rows, frame.rows, strict=True):
            inset = INSET + (NOTE_INSET if row.style is Style.NOTE else 0)
            rect = Rect(left, row_frame.y, BOX_WIDTH, row_frame.height)
            rows.append(PlacedRow(row, rect, _placed(row_frame, ROW, left + inset)))
        return PlacedBox(
            box=box,
            rect=Rect(left, frame.y, BOX_WIDTH, frame.height),
            head=Rect(left, frame.y, BOX_WIDTH, frame.title.height),
            labels=(_placed(frame.title, STAGE, left + INSET), *about),
            rows=tuple(rows),
        )

    def _arrow(self, link: Link) -> PlacedArrow:
        begin, end = self._stack.exits[link.exit], self._stack.entries[link.entry]
        gutters = self._gutters
        first, last = gutters.track(link.exit_gutter, link.net), gutters.track(link.entry_gutter, link.net)
        points: list[Point] = [(gutters.edge(link.exit.box, link.exit.side), begin), (first, begin)]
        if link.exit_gutter != link.entry_gutter:
            lane = gutters.lanes[link.net]
            points += [(first, lane), (last, lane)]
        points += [(last, end), (gutters.edge(link.entry.box, link.entry.side), end)]
        return PlacedArrow(link.row, link.exit.box, link.entry.box, tuple(points))

    def _marks(self) -> Iterator[Mark]:
        teams = {box.id: block.team for column in self._chart.columns for block in column for box in block.boxes}
        for entry in dict.fromkeys(link.entry for link in self._links if link.net.hands_over):
            edge, gap = self._gutters.edge(entry.box, entry.side), ARROWHEAD + MARK_GAP
            x = edge + gap if entry.side == RIGHT else edge - gap - self._mark_width
            rect = Rect(x, self._stack.entries[entry] - MARK_HEIGHT / 2, self._mark_width, MARK_HEIGHT)
            text = label(self._chart.hand_over, MARK, x + MARK_INSET, rect.y + 1, self._mark_width, 1)
            yield Mark(teams[entry.box], rect, text)

    def _bands(self) -> Iterator[Band]:
        teams = [column[0].team for column in self._chart.columns]
        for team in dict.fromkeys(teams):
            columns = [at for at, each in enumerate(teams) if each == team]
            grounds = [self._ground(at) for at in columns]
            between = [_between(left, right) for left, right in pairwise(grounds)]
            head = Rect(grounds[0].x, self._head_top, self._ground(columns[-1]).right - grounds[0].x, TEAM_HEAD)
            yield Band(team, (*grounds, *between), head, tuple(_team_labels(self._chart.teams[team], head)))

    def _ground(self, column: int) -> Rect:
        """From under the team's name to below the last box; at the margins with the tracks."""
        gutters, left = self._gutters, self._gutters.lefts[column]
        x = left - gutters.inset(column, LEFT) if column else MARGIN
        is_last = column == len(self._chart.columns) - 1
        right = gutters.right if is_last else left + BOX_WIDTH + gutters.inset(column, RIGHT)
        top = self._head_top + TEAM_HEAD
        return Rect(x, top, right - x, self._stack.bottoms[column] + INSET - top)

    def _legend(self) -> PlacedLegend:
        """Below the middle and the right column, which are the shorter ones."""
        above = max(*(bottom + INSET for bottom in self._stack.bottoms[1:]), *self._gutters.lanes.values(), 0)
        x, y = self._gutters.lefts[1] - self._gutters.inset(1, LEFT), stepped(int(above) + INSET)
        return place_legend(self._chart, x, y, self._gutters.right - x, self._mark_width)


def _titles(chart: Chart) -> Iterator[Label]:
    title = label(chart.title, TITLE, MARGIN, MARGIN, TITLE_ROOM, 2)
    yield title
    yield label(chart.subtitle, SUBTITLE, MARGIN, title.rect.bottom, TITLE_ROOM, 2)


def _team_labels(team: TeamLabel, head: Rect) -> Iterator[Label]:
    room = head.width - 2 * INSET
    name = label(team.name, TEAM_NAME, head.x + INSET, head.y + 7, room, 1)
    yield name
    yield label(team.about, TEAM_ABOUT, head.x + INSET, name.rect.bottom, room, 1)


def _placed(frame: RowFrame, font: Font, x: float) -> Label:
    """In the middle of the frame's height."""
    height = len(frame.text.lines) * font.line
    return Label(frame.text, font, Rect(x, frame.y + (frame.height - height) / 2, frame.text.width, height))


def _between(left: Rect, right: Rect) -> Rect:
    """The ground in the gutter where both neighbours are the same team's."""
    return Rect(left.right, left.y, right.x - left.right, min(left.height, right.height))
