"""Where things are in the legend. Pure."""

from __future__ import annotations

from infra.department.diagram.chart import Chart, LegendItem, Sample
from infra.department.diagram.geometry import Font, PlacedItem, PlacedLegend, Rect, label
from infra.department.diagram.stack import INSET, STEP

MARK = Font(10.5, 14, True)
MARK_HEIGHT, MARK_INSET = 16, 7
"""Of «передача», and left and right of the word in it."""
TITLE, TEXT = Font(14, 20, True), Font(12.5, 17)
SAMPLE_WIDTH = 84
COLUMN = 330
"""The legend has as many columns as have room for this."""


def place_legend(chart: Chart, x: float, y: float, width: float, mark_width: float) -> PlacedLegend:
    title = label(chart.legend_title, TITLE, x + INSET, y + INSET, width - 2 * INSET, 2)
    columns = max(1, int((width - INSET) // COLUMN))
    breadth = (width - INSET) / columns
    items: list[PlacedItem] = []
    top = title.rect.bottom + STEP
    for first in range(0, len(chart.legend), columns):
        line = [
            _item(item, x + INSET + number * breadth, top, breadth - INSET, mark_width)
            for number, item in enumerate(chart.legend[first : first + columns])
        ]
        items += line
        top = max(item.label.rect.bottom for item in line) + STEP
    return PlacedLegend(Rect(x, y, width, top - y), title, tuple(items))


def _item(item: LegendItem, x: float, y: float, breadth: float, mark_width: float) -> PlacedItem:
    is_mark = item.sample is Sample.HAND_OVER
    rect = Rect(x, y, mark_width if is_mark else SAMPLE_WIDTH, MARK_HEIGHT if is_mark else TEXT.line)
    font, inset = (MARK, MARK_INSET) if is_mark else (TEXT, 0)
    sign = label(item.sign, font, x + inset, y + is_mark, rect.width, 1) if item.sign else None
    if item.sample is Sample.NOTHING:
        return PlacedItem(item, rect, None, label(item.text, TEXT, x, y, breadth, 6))
    left = x + max(SAMPLE_WIDTH, rect.width) + STEP
    return PlacedItem(item, rect, sign, label(item.text, TEXT, left, y, breadth - (left - x), 6))
