"""What a laid-out picture is made of. Pixels, the origin at the top left."""

from __future__ import annotations

from dataclasses import dataclass

from infra.department.diagram.chart import Box, LegendItem, Row
from infra.department.diagram.text import Wrapped, wrap

Point = tuple[float, float]


@dataclass(frozen=True)
class Rect:
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    def overlaps(self, other: Rect) -> bool:
        """Do they have more than an edge in common?"""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom

    def holds(self, other: Rect) -> bool:
        return self.x <= other.x and other.right <= self.right and self.y <= other.y and other.bottom <= self.bottom


@dataclass(frozen=True)
class Font:
    """`line` is the height of a line."""

    size: float
    line: int
    is_bold: bool = False


@dataclass(frozen=True)
class Label:
    """`rect` is the room that the text takes at most."""

    text: Wrapped
    font: Font
    rect: Rect


def label(text: str, font: Font, x: float, y: float, room: float, lines: int) -> Label:
    """A text of at most so many `lines` that are `room` wide, its top left corner at (x, y)."""
    wrapped = wrap(text, font.size, room, lines, bold=font.is_bold)
    return Label(wrapped, font, Rect(x, y, wrapped.width, len(wrapped.lines) * font.line))


@dataclass(frozen=True)
class PlacedRow:
    row: Row
    rect: Rect
    label: Label


@dataclass(frozen=True)
class PlacedBox:
    """`head` is the coloured part with the name, below it the rows."""

    box: Box
    rect: Rect
    head: Rect
    labels: tuple[Label, ...]
    rows: tuple[PlacedRow, ...]


@dataclass(frozen=True)
class PlacedArrow:
    """From the edge of the source's row to the edge of the target's head, by right angles."""

    row: Row
    source: str
    target: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Mark:
    """«передача», in the colour of the team that gets the lead."""

    team: int
    rect: Rect
    label: Label


@dataclass(frozen=True)
class Band:
    """The ground on which the pipelines of a team stand, and its name above them."""

    team: int
    grounds: tuple[Rect, ...]
    head: Rect
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class PlacedItem:
    """`rect` is the room of the sample, `sign` the text in it."""

    item: LegendItem
    rect: Rect
    sign: Label | None
    label: Label


@dataclass(frozen=True)
class PlacedLegend:
    rect: Rect
    title: Label
    items: tuple[PlacedItem, ...]


@dataclass(frozen=True)
class Picture:
    width: float
    height: float
    titles: tuple[Label, ...]
    bands: tuple[Band, ...]
    pipeline_titles: tuple[Label, ...]
    boxes: tuple[PlacedBox, ...]
    arrows: tuple[PlacedArrow, ...]
    marks: tuple[Mark, ...]
    legend: PlacedLegend
