"""The picture as SVG: one file without scripts, fonts or anything from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from math import copysign, pi
from xml.etree import ElementTree as ET

from infra.department.diagram.chart import BoxKind, Chart, Sample, Style
from infra.department.diagram.geometry import (
    Band,
    Label,
    Picture,
    PlacedArrow,
    PlacedBox,
    PlacedItem,
    PlacedLegend,
    PlacedRow,
    Point,
    Rect,
)
from infra.department.diagram.gutters import ARROWHEAD
from infra.department.diagram.text import printable

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', sans-serif"
INK, FAINT_INK, PAPER, NOTE_PAPER = "#1f2933", "#52606d", "#ffffff", "#fff3bf"
EDGE, FAINT_EDGE = "#9aa5b1", "#dde2e7"

ARROW_INKS = {Style.MOVE: "#1d5fa8", Style.COPY: "#7a3fa0", Style.CLOSE: "#b3261e", Style.MERGE: "#0f766e"}
DASHES = {Style.CLOSE: (7.0, 4.0), Style.MERGE: (2.0, 4.0)}
"""A pattern besides the colour, for whoever cannot tell the colours apart; a copy is a double line."""
STROKE, DOUBLE_STROKE, INNER_STROKE = 2.0, 5.0, 1.8
CORNER = 6.0
DOT = 3.5

GROUNDS, TEAM_INKS = ("#e8f1fb", "#e6f5ea", "#fdeedd"), ("#1f5c99", "#23703c", "#a65a00")
"""By team, in the order of the levels."""


def to_svg(chart: Chart, picture: Picture) -> str:
    root = ET.Element("svg", _root_attributes(chart, picture))
    ET.SubElement(root, "title").text = printable(chart.title)
    _rect(root, Rect(0, 0, picture.width, picture.height), fill=PAPER)
    for band in picture.bands:
        _band(root, band)
    for text in (*picture.titles[:1], *picture.pipeline_titles):
        _text(root, text)
    for text in picture.titles[1:]:
        _text(root, text, FAINT_INK)
    for box in picture.boxes:
        _box(root, box)
    _arrows(root, picture.arrows)
    for mark in picture.marks:
        _mark(root, mark.rect, mark.label, TEAM_INKS[mark.team])
    _legend(root, picture.legend)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _root_attributes(chart: Chart, picture: Picture) -> dict[str, str]:
    width, height = _number(picture.width), _number(picture.height)
    return {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "img",
        "lang": chart.language,
        "font-family": FONTS,
        "fill": INK,
    }


def _band(root: ET.Element, band: Band) -> None:
    for ground in band.grounds:
        _rect(root, ground, fill=GROUNDS[band.team])
    _rect(root, band.head, fill=TEAM_INKS[band.team])
    for text in band.labels:
        _text(root, text, PAPER)


def _box(root: ET.Element, placed: PlacedBox) -> None:
    group = ET.SubElement(root, "g", {"class": f"box {placed.box.kind.value}"})
    is_stage = placed.box.kind not in (BoxKind.ANY, BoxKind.MERGED, BoxKind.UNSORTED)
    dashes = {} if is_stage else {"stroke_dasharray": "4 3"}
    _rect(group, placed.rect, fill=PAPER, rx="6")
    _path(group, _head_outline(placed), fill=placed.box.color)
    for row in placed.rows:
        _row(group, row)
    for row in placed.rows[1:]:
        between = f"M{_at((row.rect.x + 8, row.rect.y))} H{_number(row.rect.right - 8)}"
        _path(group, between, fill="none", stroke=FAINT_EDGE)
    _rect(group, placed.rect, fill="none", stroke=EDGE, rx="6", **dashes)
    for text in placed.labels:
        _text(group, text)


def _head_outline(placed: PlacedBox) -> str:
    """Rounded like the box, at the bottom only where the box ends there."""
    head, radius = placed.head, 6
    below = radius if placed.rect.bottom == head.bottom else 0
    x, y, right, bottom = (_number(value) for value in (head.x, head.y, head.right, head.bottom))
    corners = (
        (f"M{x} {_number(head.y + radius)}", f"A{radius} {radius} 0 0 1 {_number(head.x + radius)} {y}"),
        (f"L{_number(head.right - radius)} {y}", f"A{radius} {radius} 0 0 1 {right} {_number(head.y + radius)}"),
        (f"L{right} {_number(head.bottom - below)}", f"A{below} {below} 0 0 1 {_number(head.right - below)} {bottom}"),
        (f"L{_number(head.x + below)} {bottom}", f"A{below} {below} 0 0 1 {x} {_number(head.bottom - below)}"),
    )
    return " ".join(part for corner in corners for part in corner) + " Z"


def _row(group: ET.Element, placed: PlacedRow) -> None:
    line = ET.SubElement(group, "g", {"class": f"row {placed.row.style.value}"})
    ET.SubElement(line, "title").text = printable(placed.row.sentence)
    if placed.row.style is Style.NOTE:
        rect = placed.rect
        _rect(line, Rect(rect.x + 4, rect.y + 2, rect.width - 8, rect.height - 4), fill=NOTE_PAPER, rx="4")
        _tick(line, rect.x + 10, placed.label.rect.y + 2)
    _text(line, placed.label)


def _tick(parent: ET.Element, x: float, y: float) -> None:
    """The sign of a task: a box with a tick."""
    _rect(parent, Rect(x, y, 11, 11), fill=PAPER, stroke="#8a6100", rx="2")
    tick = f"M{_number(x + 2.5)} {_number(y + 5.5)} l2.5 3 l4 -6"
    _path(parent, tick, fill="none", stroke="#8a6100", stroke_width="1.6")


def _arrows(root: ET.Element, arrows: Sequence[PlacedArrow]) -> None:
    """Those that run together are drawn together, so that a double line is open where one joins another."""
    nets: dict[tuple[str, Style], list[PlacedArrow]] = defaultdict(list)
    for arrow in arrows:
        nets[arrow.row.route, arrow.row.style].append(arrow)
    for (route, style), together in nets.items():
        group = ET.SubElement(root, "g", {"class": f"arrow {style.value}", "data-route": route})
        ET.SubElement(group, "title").text = printable(together[0].row.sentence)
        for points in (arrow.points for arrow in together):
            _line(group, points, style)
        if style is Style.COPY:
            for points in (arrow.points for arrow in together):
                _inner_line(group, points)
        for points in (arrow.points for arrow in together):
            _ends(group, points, style)


def _line(group: ET.Element, points: Sequence[Point], style: Style) -> None:
    path, length = _rounded(_without_head(points))
    pattern = DASHES.get(style)
    dashes = {}
    if pattern:  # counted from the end, so that arrows that run together have their dashes together
        offset = _number(length % sum(pattern))
        dashes = {"stroke_dasharray": " ".join(map(_number, pattern)), "stroke_dashoffset": offset}
    width = _number(DOUBLE_STROKE if style is Style.COPY else STROKE)
    _path(group, path, fill="none", stroke=ARROW_INKS[style], stroke_width=width, **dashes)


def _inner_line(group: ET.Element, points: Sequence[Point]) -> None:
    _path(group, _rounded(_without_head(points))[0], fill="none", stroke=PAPER, stroke_width=_number(INNER_STROKE))


def _ends(group: ET.Element, points: Sequence[Point], style: Style) -> None:
    """A dot where the arrow leaves its row, and the head."""
    (x, y), (before, _), (end, height) = points[0], points[-2], points[-1]
    circle = {"cx": _number(x), "cy": _number(y), "r": _number(DOT), "fill": ARROW_INKS[style]}
    ET.SubElement(group, "circle", circle)
    back = end - copysign(ARROWHEAD, end - before)
    half = ARROWHEAD / 2
    head = f"M{_number(end)} {_number(height)} L{_number(back)} {_number(height - half)} V{_number(height + half)} Z"
    _path(group, head, fill=ARROW_INKS[style])


def _without_head(points: Sequence[Point]) -> list[Point]:
    (before, _), (end, height) = points[-2], points[-1]
    return [*points[:-1], (end - copysign(ARROWHEAD - 1, end - before), height)]


def _rounded(points: Sequence[Point]) -> tuple[str, float]:
    """A path with rounded corners, and its length."""
    steps, length = [f"M{_at(points[0])}"], 0.0
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(CORNER, _length(before, corner) / 2, _length(corner, after) / 2)
        steps.append(f"L{_at(_towards(corner, before, radius))} Q{_at(corner)} {_at(_towards(corner, after, radius))}")
        length -= radius * (2 - pi / 2)  # a quarter of a circle, nearly, instead of the corner
    length += sum(_length(one, other) for one, other in pairwise(points))
    return " ".join((*steps, f"L{_at(points[-1])}")), length


def _length(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Point, end: Point, distance: float) -> Point:
    share = distance / (_length(start, end) or 1)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _mark(parent: ET.Element, rect: Rect, text: Label, ink: str) -> None:
    _rect(parent, rect, fill=ink, stroke=PAPER, rx=_number(rect.height / 2))
    _text(parent, text, PAPER)


def _legend(root: ET.Element, legend: PlacedLegend) -> None:
    group = ET.SubElement(root, "g", {"class": "legend"})
    _rect(group, legend.rect, fill=PAPER, stroke=EDGE, rx="6")
    _text(group, legend.title)
    for item in legend.items:
        _sample(group, item)
        _text(group, item.label)


def _sample(group: ET.Element, item: PlacedItem) -> None:
    rect, sample = item.rect, item.item.sample
    middle = rect.y + rect.height / 2
    if sample is Sample.HAND_OVER and item.sign:
        _mark(group, rect, item.sign, FAINT_INK)
    elif item.sign:
        _text(group, item.sign)
    elif sample is Style.NOTE:
        _rect(group, rect, fill=NOTE_PAPER, rx="4")
        _tick(group, rect.middle - 5.5, middle - 5.5)
    elif isinstance(sample, Style):
        points = [(rect.x + DOT, middle), (rect.right, middle)]
        _line(group, points, sample)
        if sample is Style.COPY:
            _inner_line(group, points)
        _ends(group, points, sample)


def _text(parent: ET.Element, label: Label, ink: str = INK) -> None:
    """One line below the other; what had to be shortened is whole in the tip."""
    attributes = {"font-size": _number(label.font.size), "fill": ink}
    if label.font.is_bold:
        attributes["font-weight"] = "600"
    text = ET.SubElement(parent, "text", attributes)
    if label.text.full:
        ET.SubElement(text, "title").text = label.text.full
    for number, line in enumerate(label.text.lines):
        # the baseline stands so that small letters are in the middle of the line
        y = label.rect.y + number * label.font.line + label.font.line / 2 + label.font.size * 0.35
        ET.SubElement(text, "tspan", {"x": _number(label.rect.x), "y": _number(y)}).text = line


def _rect(parent: ET.Element, rect: Rect, **attributes: str) -> None:
    place = {"x": rect.x, "y": rect.y, "width": rect.width, "height": rect.height}
    numbers = {name: _number(value) for name, value in place.items()}
    ET.SubElement(parent, "rect", numbers | {name.replace("_", "-"): value for name, value in attributes.items()})


def _path(parent: ET.Element, path: str, **attributes: str) -> None:
    ET.SubElement(parent, "path", {"d": path} | {name.replace("_", "-"): value for name, value in attributes.items()})


def _at(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
