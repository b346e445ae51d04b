"""What a picture of a department is made of: pipelines with their boxes, and in each box a row for every arrow or task
that begins there. Where things are is not said here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class BoxKind(StrEnum):
    """any: the trigger of routes that start anywhere in a pipeline · merged: where merged leads go."""

    UNSORTED = "unsorted"
    STAGE = "stage"
    ANY = "any"
    WON = "won"
    LOST = "lost"
    MERGED = "merged"


class Style(StrEnum):
    """What an arrow does to the lead; a note is no arrow but a task written into the box."""

    MOVE = "move"
    COPY = "copy"
    CLOSE = "close"
    MERGE = "merge"
    NOTE = "note"


@dataclass(frozen=True)
class Row:
    """`targets` are ids of boxes, none where no arrow is drawn; at those in `hands_over` the lead gets a manager of
    another team; `sentence` tells the whole route."""

    route: str
    style: Style
    text: str
    sentence: str
    targets: tuple[str, ...] = ()
    hands_over: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Box:
    id: str
    kind: BoxKind
    title: str
    color: str
    rows: tuple[Row, ...] = ()
    about: str = ""


@dataclass(frozen=True)
class Block:
    """One pipeline, worked by the team with this index."""

    role: str
    title: str
    team: int
    boxes: tuple[Box, ...]


class Sample(StrEnum):
    """What the legend explains besides the styles: the mark of a hand-over, a word, or nothing that is drawn."""

    HAND_OVER = "hand_over"
    WORD = "word"
    NOTHING = "nothing"


@dataclass(frozen=True)
class LegendItem:
    """`sign` is the text of the mark or the word."""

    sample: Style | Sample
    text: str
    sign: str = ""


@dataclass(frozen=True)
class TeamLabel:
    name: str
    about: str


@dataclass(frozen=True)
class Chart:
    language: str
    title: str
    subtitle: str
    hand_over: str
    columns: tuple[tuple[Block, ...], ...]
    teams: tuple[TeamLabel, ...]
    legend_title: str
    legend: tuple[LegendItem, ...]

    @property
    def boxes(self) -> Iterator[Box]:
        return (box for column in self.columns for block in column for box in block.boxes)
