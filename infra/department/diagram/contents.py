"""A department as a chart: which boxes, which rows in them, and what the legend has to explain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from functions.shared.department import (
    AFTERCARE,
    EXCHANGE,
    LOST_STAGE,
    MAIN,
    UNSORTED_STAGE,
    WARM_UP,
    WON_STAGE,
    Kind,
    MergeMode,
    Place,
    Route,
    Trigger,
)
from infra.department.diagram.chart import Block, Box, BoxKind, Chart, LegendItem, Row, Sample, Style, TeamLabel
from infra.department.diagram.text import shortened
from infra.department.plan import PipelinePlan
from infra.department.story import sentence
from infra.department.wording import TeamPart, Wording

COLUMNS = ((EXCHANGE, WARM_UP), (MAIN,), (AFTERCARE,))
"""Roles from left to right. Warm-up stands below the exchange: in every model both have the same team."""

WON_COLOR, LOST_COLOR, PLAIN_COLOR = "#ccff66", "#d5d8db", "#ffffff"
"""amoCRM's own colours of the closing stages (amoCRM API: pipelines and stages), and of what is no stage."""

ANYWHERE, MERGED = "*any", "*merged"
"""Boxes that are no stages; no key of a stage looks like that."""

NAME_LENGTH = 36
"""Characters of another box's name that are repeated in a row."""


class Effect(NamedTuple):
    """Something that a route does to a lead, and where its arrow leads to."""

    style: Style
    text: str
    targets: tuple[Place, ...] = ()


def chart_of(wording: Wording) -> Chart:
    """The whole department."""
    plans = {plan.role: plan for plan in wording.file.pipelines}
    columns = tuple(tuple(_Pipeline(wording, plans[role]).block() for role in column) for column in COLUMNS)
    rows = [row for column in columns for block in column for box in block.boxes for row in box.rows]
    return Chart(
        language=wording.language,
        title=wording.say("title", department=wording.file.spec.department),
        subtitle=wording.say("model", model=wording.say(wording.file.spec.model)),
        hand_over=wording.say("hand_over"),
        columns=columns,
        teams=tuple(_team_label(wording, team) for team in wording.teams),
        legend_title=wording.say("legend"),
        legend=tuple(_legend(wording, rows)),
    )


class _Pipeline:
    """Builds one block."""

    def __init__(self, wording: Wording, plan: PipelinePlan) -> None:
        self._wording = wording
        self._plan = plan

    def block(self) -> Block:
        boxes, merged = tuple(self._boxes()), Place(self._plan.role, MERGED)
        if any(str(merged) in row.targets for box in boxes for row in box.rows):
            boxes = (*boxes, Box(str(merged), BoxKind.MERGED, self._wording.say("merged"), PLAIN_COLOR))
        return Block(self._plan.role, self._plan.name, self._wording.team_of(self._plan.role).index, boxes)

    def _boxes(self) -> Iterator[Box]:
        role, say = self._plan.role, self._wording.say
        if self._plan.unsorted:
            about = say("row_new") if role in self._wording.file.spec.distribute.pipelines else ""
            yield self._stage(BoxKind.UNSORTED, UNSORTED_STAGE, PLAIN_COLOR, about)
        for stage in self._plan.stages:
            yield self._stage(BoxKind.STAGE, stage.key, stage.color)
        if anywhere := tuple(self._rows(None)):
            yield Box(str(Place(role, ANYWHERE)), BoxKind.ANY, say("any_stage"), PLAIN_COLOR, anywhere)
        yield self._stage(BoxKind.WON, WON_STAGE, WON_COLOR)
        yield self._stage(BoxKind.LOST, LOST_STAGE, LOST_COLOR)

    def _stage(self, kind: BoxKind, key: str, color: str, about: str = "") -> Box:
        place = Place(self._plan.role, key)
        return Box(str(place), kind, self._wording.stage(place), color, tuple(self._rows(key)), about)

    def _rows(self, stage: str | None) -> Iterator[Row]:
        for route in self._wording.file.routes:
            told = _told_with(route)
            for trigger in route.when:
                if trigger.role == self._plan.role and trigger.stage == stage and trigger not in told:
                    also = next((other.answer for other, host in told.items() if host == trigger), None)
                    yield from _rows_of(self._wording, route, trigger, also)


def _told_with(route: Route) -> dict[Trigger, Trigger]:
    """Triggers that are told in the row of another one, by the former: an answer anywhere in a pipeline, where the
    route also starts at a stage of that pipeline. The text of a task leaves no room for that."""
    told: dict[Trigger, Trigger] = {}
    for trigger in route.when if route.kind is not Kind.TASK else ():
        if trigger.stage is None and trigger.answer and trigger.after is None:
            hosts = (each for each in route.when if each.role == trigger.role and _is_bare_stage(each))
            host = next((each for each in hosts if each not in told.values()), None)
            if host:
                told[trigger] = host
    return told


def _is_bare_stage(trigger: Trigger) -> bool:
    return trigger.stage is not None and trigger.answer is None and trigger.after is None


def _rows_of(wording: Wording, route: Route, trigger: Trigger, also: str | None) -> Iterator[Row]:
    """`also` is an answer anywhere in the pipeline that starts the route too."""
    whole = sentence(wording, route)
    conditions = [wording.say("answer", answer=wording.answer(trigger.answer))] if trigger.answer else []
    conditions += [wording.say("after", span=wording.duration(trigger.after))] if trigger.after else []
    for effect in _effects(wording, route, trigger.role):
        text = effect.text
        if conditions:
            text = wording.say("when", condition=", ".join(conditions), action=text)
        if also and effect.style is not Style.NOTE:
            text = wording.say("also_answer", action=text, answer=wording.answer(also))
        targets = tuple(map(str, effect.targets))
        handed_over = frozenset(str(place) for place in effect.targets if _is_handed_over(wording, trigger.role, place))
        yield Row(route.id, effect.style, text[0].upper() + text[1:], whole, targets, handed_over)


def _is_handed_over(wording: Wording, role: str, place: Place) -> bool:
    """Nobody works on closed leads."""
    return not place.is_closed and wording.changes_hands(role, place.role)


def _effects(wording: Wording, route: Route, role: str) -> Iterator[Effect]:
    """What the route does to a lead of the role's pipeline."""
    say = wording.say
    if route.kind is Kind.MOVE and route.to:
        yield Effect(Style.MOVE, _way_to(wording, route.to, role), (route.to,))
    elif route.kind is Kind.BACK:
        yield Effect(Style.MOVE, say("row_back"), wording.origins)
    elif route.kind is Kind.CLOSE:
        action = say("row_close", reason=wording.reason(route.reason))
        if route.reason in wording.file.spec.refunds:
            action = say("row_refund", action=action)
        yield Effect(Style.CLOSE, action, (Place(role, LOST_STAGE),))
    elif route.kind is Kind.MERGE:
        mode = wording.file.merging.mode
        is_drawn = mode in (MergeMode.AUTO, MergeMode.SUGGEST)
        yield Effect(Style.MERGE, say(f"row_merge_{mode.value}"), (Place(role, MERGED),) if is_drawn else ())
    elif route.kind is Kind.COPY and route.to:
        pipeline = shortened(wording.pipeline(route.to.role), NAME_LENGTH)
        yield Effect(Style.COPY, say("row_copy", pipeline=pipeline), (route.to,))
        if route.then:
            stage = shortened(wording.stage(route.then), NAME_LENGTH)
            yield Effect(Style.MOVE, say("row_then", stage=stage), (route.then,))
    if route.task:
        who = wording.assignee(route.task.assignee)
        yield Effect(Style.NOTE, say("row_task", who=who, text=route.task.text))


def _way_to(wording: Wording, place: Place, role: str) -> str:
    if place.role == role or place.is_closed:
        return wording.say("row_stage", stage=shortened(wording.stage(place), NAME_LENGTH))
    return wording.say("row_move", pipeline=shortened(wording.pipeline(place.role), NAME_LENGTH))


def _team_label(wording: Wording, team: TeamPart) -> TeamLabel:
    return TeamLabel(team.name, wording.say("team", levels=wording.levels(team), managers=wording.managers(team)))


def _legend(wording: Wording, rows: list[Row]) -> Iterator[LegendItem]:
    """Only what the picture shows."""
    say, styles = wording.say, {row.style for row in rows if row.targets or row.style is Style.NOTE}
    for style in Style:
        if style in styles:
            yield LegendItem(style, say(f"legend_{style.value}"))
    if any(row.hands_over for row in rows):
        yield LegendItem(Sample.HAND_OVER, say("legend_hand_over"), say("hand_over"))
    if any(trigger.answer for route in wording.file.routes for trigger in route.when):
        text = say("legend_answer", field=wording.file.answer_field)
        yield LegendItem(Sample.WORD, text, say("legend_answer_word"))
    if any(route.kind is Kind.CLOSE and route.reason in wording.file.spec.refunds for route in wording.file.routes):
        yield LegendItem(Sample.WORD, say("legend_refund"), say("legend_refund_word"))
    yield LegendItem(Sample.NOTHING, say("legend_stays" if len(wording.teams) > 1 else "legend_one_team"))
    yield LegendItem(Sample.NOTHING, say("legend_people"))
