"""The department as a picture that its owner understands."""

from __future__ import annotations

from infra.department.diagram.contents import chart_of
from infra.department.diagram.layout import lay_out
from infra.department.diagram.svg import to_svg
from infra.department.file import DepartmentFile
from infra.department.wording import Wording


def draw(file: DepartmentFile) -> str:
    """An SVG document, complete in itself, in the department's language."""
    chart = chart_of(Wording(file))
    return to_svg(chart, lay_out(chart))
