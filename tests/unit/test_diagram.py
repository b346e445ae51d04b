from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.department import Kind, Place, Route, RouteTask, Trigger
from infra.department.care import Care
from infra.department.diagram import draw
from infra.department.diagram.chart import Chart, Style
from infra.department.diagram.contents import chart_of
from infra.department.diagram.geometry import Label, Picture, PlacedArrow, Point, Rect
from infra.department.diagram.layout import lay_out
from infra.department.diagram.text import printable, width_of, wrap
from infra.department.diagram.tracks import CLEARANCE, Run, assign
from infra.department.document import Document
from infra.department.file import DepartmentFile, load
from infra.department.preset import MODELS
from infra.department.schema import DepartmentSpec
from infra.department.wording import Wording

EXAMPLE = Path(__file__).parents[2] / "department.example.yaml"
SVG = "{http://www.w3.org/2000/svg}"

TEAM_NAMES = ("lead_desk", "closers", "care")


def department(model: str = "three_level", language: str = "ru", **more: Any) -> dict[str, Any]:
    """What a file would say; a team for each that the model wants."""
    teams = {name: {"members": [f"{name}@oknaplus.example"]} for name in TEAM_NAMES[: len(MODELS[model])]}
    fixed = {"department": "Окна Плюс", "timezone": "Europe/Moscow", "amocrm": {"account": "oknaplus.amocrm.ru"}}
    return {**fixed, "model": model, "language": language, "teams": teams, **more}


def file_of(*routes: Route, **about: Any) -> DepartmentFile:
    """A department with these routes, whether `conveyor check` would let them through or not; the preset's if none."""
    spec = DepartmentSpec.model_validate(department(**about))
    return DepartmentFile(spec, Document(), routes or load(EXAMPLE).routes, Care(), ())


def drawn(file: DepartmentFile) -> tuple[Chart, Picture]:
    chart = chart_of(Wording(file))
    return chart, lay_out(chart)


def segments(arrow: PlacedArrow) -> Iterator[tuple[Point, Point]]:
    return pairwise(arrow.points)


def crosses(segment: tuple[Point, Point], rect: Rect) -> bool:
    """Does the segment have a point inside the rectangle, not only on its edge?"""
    (x, y), (to_x, to_y) = segment
    left, right, top, bottom = min(x, to_x), max(x, to_x), min(y, to_y), max(y, to_y)
    return left < rect.right and rect.x < right and top < rect.bottom and rect.y < bottom


def texts(picture: Picture) -> Iterator[tuple[Label, Rect]]:
    """Every text, with the room that it must not leave."""
    whole = Rect(0, 0, picture.width, picture.height)
    yield from ((text, whole) for text in (*picture.titles, *picture.pipeline_titles))
    yield from ((text, band.head) for band in picture.bands for text in band.labels)
    for box in picture.boxes:
        yield from ((text, box.rect) for text in box.labels)
        yield from ((row.label, row.rect) for row in box.rows)
    yield from ((mark.label, mark.rect) for mark in picture.marks)
    yield picture.legend.title, picture.legend.rect
    for item in picture.legend.items:
        yield item.label, picture.legend.rect
        if item.sign:
            yield item.sign, picture.legend.rect


def assert_nothing_overlaps(picture: Picture) -> None:
    labels = list(texts(picture))
    for text, room in labels:
        assert room.holds(text.rect), text
    for (one, _), (other, _) in combinations(labels, 2):
        assert not one.rect.overlaps(other.rect), (one, other)
    solid = [*(box.rect for box in picture.boxes), *(mark.rect for mark in picture.marks), picture.legend.rect]
    solid += [band.head for band in picture.bands]
    for one, other in combinations(solid, 2):
        assert not one.overlaps(other), (one, other)
    whole = Rect(0, 0, picture.width, picture.height)
    assert all(whole.holds(rect) for rect in solid)


def assert_arrows_are_right(picture: Picture) -> None:
    """They begin and end at their boxes, go by right angles, and keep off all texts, boxes and other arrows."""
    boxes = {box.box.id: box for box in picture.boxes}
    obstacles = [*(box.rect for box in picture.boxes), picture.legend.rect, *(band.head for band in picture.bands)]
    obstacles += [text.rect for text in picture.pipeline_titles]
    for arrow in picture.arrows:
        source = next(placed.rect for placed in boxes[arrow.source].rows if placed.row is arrow.row)
        for (x, y), rect in ((arrow.points[0], source), (arrow.points[-1], boxes[arrow.target].head)):
            assert x in (rect.x, rect.right)
            assert rect.y < y < rect.bottom
        assert all((x == to_x) != (y == to_y) for (x, y), (to_x, to_y) in segments(arrow))
        assert not any(crosses(segment, rect) for segment in segments(arrow) for rect in obstacles), arrow
        ends = arrow.points[-1]
        foreign = [mark.rect for mark in picture.marks if mark.rect.y + mark.rect.height / 2 != ends[1]]
        assert not any(crosses(segment, rect) for segment in segments(arrow) for rect in foreign), arrow
    for one, other in combinations(picture.arrows, 2):
        if (one.row.route, one.row.style) != (other.row.route, other.row.style):
            assert not any(lie_on_each_other(a, b) for a in segments(one) for b in segments(other)), (one, other)


def lie_on_each_other(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Crossing is allowed, running together is not."""
    for axis in (0, 1):
        if len({point[axis] for point in (*one, *other)}) == 1:
            (a, b), (c, d) = (sorted(point[1 - axis] for point in segment) for segment in (one, other))
            return a < d and c < b
    return False


def assert_hand_overs_are_marked(chart: Chart, picture: Picture) -> None:
    teams = {box.id: block.team for column in chart.columns for block in column for box in block.boxes}
    closed = {box.id for box in chart.boxes if box.kind.value in ("won", "lost", "merged")}
    for arrow in picture.arrows:
        x, y = arrow.points[-1]
        marks = [
            mark for mark in picture.marks if mark.rect.y < y < mark.rect.bottom and abs(mark.rect.middle - x) < 70
        ]
        is_handed_over = teams[arrow.source] != teams[arrow.target] and arrow.target not in closed
        assert [mark.team for mark in marks] == ([teams[arrow.target]] if is_handed_over else []), arrow


def assert_every_route_is_drawn(file: DepartmentFile, chart: Chart, picture: Picture) -> None:
    """Each way into a route has a row where it starts, or is named in the row of another way into it."""
    rows = [(box.id, row) for box in chart.boxes for row in box.rows]
    for route in file.routes:
        mine = {(place, row.style) for place, row in rows if row.route == route.id}
        for trigger in route.when:
            place = str(Place(trigger.role, trigger.stage or "*any"))
            told = any(row.route == route.id and "также по ответу" in row.text for _, row in rows)
            assert any(place == at for at, _ in mine) or (trigger.stage is None and trigger.answer and told), trigger
        if route.task:
            assert Style.NOTE in {style for _, style in mine}
    targets = sorted((place, row.route, target) for place, row in rows for target in row.targets)
    assert sorted((arrow.source, arrow.row.route, arrow.target) for arrow in picture.arrows) == targets


def assert_sound(file: DepartmentFile) -> None:
    chart, picture = drawn(file)
    assert_nothing_overlaps(picture)
    assert_arrows_are_right(picture)
    assert_hand_overs_are_marked(chart, picture)
    assert_every_route_is_drawn(file, chart, picture)
    ET.fromstring(draw(file))


# -- the preset in every model ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("model", MODELS)
def test_the_preset_is_drawn_soundly_in_every_model_and_language(model: str, language: str) -> None:
    file = file_of(model=model, language=language)
    chart, picture = drawn(file)
    assert_nothing_overlaps(picture)
    assert_arrows_are_right(picture)
    assert_hand_overs_are_marked(chart, picture)
    assert 900 < picture.width < 1600


@pytest.mark.parametrize(
    ("model", "hand_overs"),
    [("one_level", 0), ("two_level_lead_desk", 5), ("two_level_aftercare", 2), ("three_level", 6)],
)
def test_hand_overs_are_marked_where_teams_change(model: str, hand_overs: int) -> None:
    # entries, not arrows: the copies of sales won in three pipelines arrive in aftercare as one
    assert len(drawn(file_of(model=model))[1].marks) == hand_overs


def test_every_arrow_of_the_example_is_there() -> None:
    file = load(EXAMPLE)
    chart, picture = drawn(file)
    assert_every_route_is_drawn(file, chart, picture)
    ways = {(arrow.row.route, arrow.source, arrow.target) for arrow in picture.arrows}
    assert ways == {
        ("not_target", "exchange.not_target", "exchange.lost"),
        ("in_conversation", "exchange.in_conversation", "exchange.*merged"),
        ("no_information", "exchange.no_information", "warm_up.to_warm"),
        ("qualified", "exchange.qualified", "main.received"),
        ("refused_not_target", "main.conditional_refusal", "main.lost"),
        ("refused_in_conversation", "main.conditional_refusal", "main.*merged"),
        ("refused_no_information", "main.conditional_refusal", "warm_up.to_warm"),
        ("refused_qualified", "main.conditional_refusal", "main.received"),
        ("not_ready", "main.not_ready", "warm_up.to_warm"),
        ("won", "main.won", "aftercare.new_client"),
        ("won", "exchange.won", "aftercare.new_client"),
        ("won", "warm_up.won", "aftercare.new_client"),
        ("warmed", "warm_up.warmed", "exchange.new"),
        ("warmed", "warm_up.warmed", "main.received"),
        ("repeat_sale", "aftercare.offer", "main.received"),
        ("repeat_sale", "aftercare.offer", "aftercare.in_care"),
    }
    notes = {(row.route, box.id) for box in chart.boxes for row in box.rows if row.style is Style.NOTE}
    assert notes == {("conditional_refusal", "main.conditional_refusal"), ("long_warm_up", "warm_up.*any")}


def test_the_bands_say_who_works_what() -> None:
    bands = drawn(load(EXAMPLE))[1].bands
    said = [[line for text in band.labels for line in text.text.lines] for band in bands]
    assert said == [
        ["lead_desk", "уровень 1 · 4 менеджера"],
        ["closers", "уровень 2 · 3 менеджера"],
        ["care", "уровень 3 · 2 менеджера"],
    ]


def test_neighbours_of_one_team_stand_on_one_ground() -> None:
    (band,) = drawn(file_of(model="one_level"))[1].bands
    grounds = sorted(band.grounds, key=lambda ground: ground.x)
    assert all(left.right == right.x for left, right in pairwise(grounds))


def test_the_same_department_gives_the_same_picture() -> None:
    assert draw(load(EXAMPLE)) == draw(load(EXAMPLE))


# -- departments of one's own ----------------------------------------------------------------------------------------

STAGES = {f"s{number}": f"Этап {number}" for number in range(15)}


def test_fifteen_stages_and_arrows_between_all_columns() -> None:
    roles = ("exchange", "main", "aftercare", "warm_up")
    routes = [
        Route(f"{source}-{target}", (Trigger(source, f"s{at}"),), Kind.COPY, Place(target, "s3"), Place(source, "s7"))
        for source in roles
        for at, target in enumerate(roles)
        if source != target
    ]
    assert_sound(file_of(*routes, pipelines={role: {"stages": STAGES} for role in roles}))


def test_a_merge_that_is_switched_off_leads_nowhere() -> None:
    chart, picture = drawn(file_of(merging="off"))
    assert not any(box.kind.value == "merged" for box in chart.boxes)
    assert not any(arrow.row.style is Style.MERGE for arrow in picture.arrows)
    assert "Объединение выключено; также по ответу «Уже общаемся»" in {
        row.text for box in chart.boxes for row in box.rows
    }


def test_closing_in_another_pipeline_is_no_hand_over() -> None:
    route = Route("away", (Trigger("main", "offer"),), Kind.MOVE, Place("exchange", "lost"))
    assert drawn(file_of(route))[1].marks == ()


NAMES = st.text(min_size=1, max_size=90) | st.sampled_from(
    ["Замер <b>&</b> «договор»", "]]>", "א" * 60, "長い名前" * 9]
)
SPANS = st.sampled_from([None, timedelta(minutes=5), timedelta(days=30)])


@st.composite
def departments(draw_from: st.DrawFn) -> DepartmentFile:
    """Any model with any stages and routes, also such as `conveyor check` refuses."""
    roles = ("exchange", "main", "aftercare", "warm_up")
    stages = {
        role: {f"s{at}": {"name": name} for at, name in enumerate(draw_from(st.lists(NAMES, min_size=1, max_size=6)))}
        for role in roles
    }
    working = [Place(role, key) for role, names in stages.items() for key in names]
    closing = [Place(role, key) for role in roles for key in ("won", "lost")]
    places = st.sampled_from(working + closing)
    answers = st.sampled_from([None, "not_target", "qualified"])
    anywhere = st.builds(Trigger, st.sampled_from(roles), st.none(), answers, SPANS)
    at_stage = st.builds(lambda place, *more: Trigger(*place, *more), places, answers, SPANS)
    tasks = st.builds(RouteTask, st.sampled_from(["owner", "head"]), NAMES, st.just(timedelta(days=1)))
    names = st.integers().map("route{}".format)
    when = st.lists(anywhere | at_stage, min_size=1, max_size=4, unique=True).map(tuple)
    moves = st.builds(Route, names, when, st.just(Kind.MOVE), places, task=st.none() | tasks)
    copies = st.builds(Route, names, when, st.just(Kind.COPY), places, st.none() | places)
    others = st.builds(Route, names, when, st.sampled_from([Kind.MERGE, Kind.BACK]))
    closes = st.builds(Route, names, when, st.just(Kind.CLOSE), reason=st.sampled_from(["spam", "expensive"]))
    only_tasks = st.builds(Route, names, when, st.just(Kind.TASK), task=tasks)
    any_route = moves | copies | others | closes | only_tasks
    routes = draw_from(st.lists(any_route, min_size=1, max_size=14, unique_by=lambda route: route.id))
    return file_of(
        *routes,
        model=draw_from(st.sampled_from(list(MODELS))),
        department=draw_from(NAMES),
        pipelines={role: {"name": draw_from(NAMES), "stages": stages[role]} for role in roles},
        distribute={"pipelines": draw_from(st.lists(st.sampled_from(roles), min_size=1, unique=True))},
        head=draw_from(st.sampled_from([None, "head@oknaplus.example"])),
    )


@settings(max_examples=15, deadline=None)
@given(departments())
def test_any_department_is_drawn_soundly(file: DepartmentFile) -> None:
    assert_sound(file)


# -- SVG -------------------------------------------------------------------------------------------------------------


def test_user_text_is_text_and_nothing_else() -> None:
    name = "Окна <b>&</b> \"Плюс\" <script>alert('1')</script> ]]> \x07"
    svg = draw(replace(load(EXAMPLE), spec=load(EXAMPLE).spec.model_copy(update={"department": name})))
    root = ET.fromstring(svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        *("svg", "title", "rect", "g", "path", "circle", "text", "tspan")
    }
    assert root.find(f"{SVG}title").text.startswith("Окна <b>&</b> \"Плюс\" <script>alert('1')</script> ]]>")
    assert "<b>" not in svg
    assert "\x07" not in svg


def test_the_file_needs_nothing_from_elsewhere() -> None:
    root = ET.fromstring(draw(load(EXAMPLE)))
    attributes = [attribute for element in root.iter() for attribute in element.attrib.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name.endswith("href") or name == "style"]
    assert not [value for _, value in attributes if "url(" in value or "http" in value]


def test_each_arrow_says_its_whole_route_when_pointed_at() -> None:
    root = ET.fromstring(draw(load(EXAMPLE)))
    arrow = next(group for group in root.iter(f"{SVG}g") if group.get("data-route") == "no_information")
    assert arrow.find(f"{SVG}title").text.endswith(
        "карточка переходит в «Прогрев», этап «На прогрев»; менеджер остаётся."
    )


def test_a_long_name_is_shortened_and_whole_when_pointed_at() -> None:
    name = "Замер с выездом технолога на объект клиента и согласованием всех размеров оконных проёмов и откосов"
    file = file_of(pipelines={"exchange": {"stages": {**STAGES, "s1": name}}}, model="one_level", language="en")
    file = replace(file, routes=())
    texts = [text for text in ET.fromstring(draw(file)).iter(f"{SVG}text") if text.find(f"{SVG}title") is not None]
    (text,) = texts
    assert text.find(f"{SVG}title").text == name
    assert text.findall(f"{SVG}tspan")[-1].text.endswith("…")


# -- texts and tracks ------------------------------------------------------------------------------------------------


@given(st.text(max_size=120), st.sampled_from([60, 200]), st.integers(1, 4), st.booleans())
def test_a_wrapped_text_keeps_to_its_room(text: str, room: int, lines: int, bold: bool) -> None:
    wrapped = wrap(text, 12, room, lines, bold=bold)
    assert len(wrapped.lines) <= lines
    assert all(width_of(line, 12, bold=bold) <= room for line in wrapped.lines)
    told = "".join("".join(wrapped.lines).split())
    assert told == "".join(printable(text).split()) or (told.endswith("…") and wrapped.full == printable(text))


RUNS = st.lists(
    st.tuples(st.sets(st.integers(0, 40), min_size=1), st.sets(st.integers(41, 80), min_size=1)), max_size=12
)


@settings(max_examples=20, deadline=None)
@given(RUNS)
def test_runs_on_one_track_do_not_touch(heights: list[tuple[set[int], set[int]]]) -> None:
    runs = [
        Run(number, frozenset(at * 10 for at in left), frozenset(at * 10 for at in right))
        for number, (left, right) in enumerate(heights)
    ]
    tracks = assign(runs)
    assert sorted(run.key for track in tracks for run in track) == list(range(len(runs)))
    for track in tracks:
        for one, other in combinations(track, 2):
            assert one.bottom + CLEARANCE <= other.top or other.bottom + CLEARANCE <= one.top


def test_a_short_run_stands_nearer_to_its_boxes_than_a_long_one_around_it() -> None:
    around = Run("around", frozenset(), frozenset({0, 300}))
    within = Run("within", frozenset(), frozenset({100, 200}))
    assert assign([within, around]) == [[around], [within]]
