"""From leads as read to steps to be stored: the pure decision, and what only amoCRM can tell for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from functions.qualify_router.effects import NO_SURVIVOR
from functions.qualify_router.intake import Hint
from functions.qualify_router.merging import Leave, MergeInto, Suggest, choose
from functions.qualify_router.routing import (
    MergeWanted,
    Sight,
    Table,
    decide,
    decision,
    has_more,
    look,
    may_be_swept,
    taken_from,
)
from functions.qualify_router.transitions import left, timed
from functions.shared.crm import Lead
from functions.shared.department import LOST_STAGE, Department, MergeMode, Place
from functions.shared.lead_state import BY_HAND, Decision, LeadState, Step
from functions.shared.ports import AmoCrm
from functions.shared.twins import Twin, TwinSearch

SEARCHES = 60
"""Searches for phones and e-mails in one run: ten seconds of the request budget."""

HISTORY_LAGS = timedelta(minutes=1)
"""What amoCRM's history does not show after so long did not happen: somebody had put the lead there before us."""

DUPLICATE = "duplicate"
"""Name of the route, in events, of a lead that was found to be one at its arrival."""


@dataclass
class Decided:
    """`steps` are to be stored and done; `remembered` are states that changed without a step; `later` are leads about
    which amoCRM cannot tell enough yet."""

    steps: list[tuple[Sight, LeadState, Decision]] = field(default_factory=list)
    remembered: list[LeadState] = field(default_factory=list)
    later: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Wanted:
    sight: Sight
    table: Table
    route: str
    fired: str
    asked: bool


class Deciding:
    """`apart` tells which leads a person has separated by undoing a merge."""

    def __init__(self, amocrm: AmoCrm, apart: Mapping[int, Collection[int]] | None = None) -> None:
        self._amocrm = amocrm
        self._apart = apart or {}

    def decide(
        self,
        leads: Mapping[int, Lead],
        states: Mapping[int, LeadState],
        hints: Mapping[int, Hint],
        teams: Mapping[int, str],
        department: Department,
        now: datetime,
    ) -> Decided:
        """`teams` is who had the leads of which nothing is known yet."""
        result, merges = Decided(), []
        for lead_id, lead in leads.items():
            sight = look(lead, department)
            if sight is None:
                if states[lead_id].due_at is not None:
                    result.remembered.append(left(states[lead_id]))
                continue
            state, hint = states[lead_id], hints[lead_id]
            swept = may_be_swept(hint.places, sight, state)
            if swept and self._restore(sight, state, department, now, result):
                continue
            state = _seen(state, sight, teams.get(lead_id, ""), now)
            table = Table(state, department, now)
            step = decide(sight, table)
            if isinstance(step, Decision):
                if step.step is Step.CROSS:
                    step = replace(step, before=_before(states[lead_id], state.team, department))
                result.steps.append((sight, state, step))
            elif isinstance(step, MergeWanted):
                merges.append(_Wanted(sight, table, step.route, step.fired, asked=True))
            elif hint.arrived and not sight.place.is_closed:
                merges.append(_Wanted(sight, table, DUPLICATE, "", asked=False))
            elif _is_news(known := timed(state, department, now), states[lead_id]):
                result.remembered.append(known)
        self._merge(merges, states, hints, department, result)
        return result

    @cached_property
    def _token_user(self) -> int:
        return self._amocrm.account().current_user_id

    def _restore(self, sight: Sight, state: LeadState, department: Department, now: datetime, result: Decided) -> bool:
        """Put a person's move back that our write has swept away; False: nothing was."""
        assert state.last is not None, "only a lead that we have moved can have been swept"
        history = self._amocrm.stage_changes(sight.lead.id, state.last.seen_at)
        ours = {0, self._token_user}
        taken = taken_from(history, state.last, ours, department)
        if taken is None and state.entered_at is not None and now - state.entered_at < HISTORY_LAGS:
            result.later.add(sight.lead.id)
            return True
        if taken is None or taken in (state.last.seen, state.last.to):
            return False
        if _leads_here(taken, sight, state, department, now):
            return False
        if not self._is_fresh(sight.lead):
            result.later.add(sight.lead.id)
            return True
        table = Table(state, department, now)
        result.steps.append((sight, state, decision(sight, table, Step.RESTORE, to=taken)))
        return True

    def _is_fresh(self, lead: Lead) -> bool:
        """Whether nobody has touched the lead since the list was made: what a person did then is his later word."""
        now = self._amocrm.lead(lead.id)
        return now is not None and (now.updated_at, now.pipeline_id, now.status_id) == (
            lead.updated_at,
            lead.pipeline_id,
            lead.status_id,
        )

    def _merge(
        self,
        wanted: Sequence[_Wanted],
        states: Mapping[int, LeadState],
        hints: Mapping[int, Hint],
        department: Department,
        result: Decided,
    ) -> None:
        if not wanted:
            return
        twins = self._twins(wanted, hints, department)
        for each in wanted:
            lead, state = each.sight.lead, each.table.state
            if lead.id not in twins:
                result.later.add(lead.id)
                continue
            choice = choose(
                lead,
                twins[lead.id],
                department,
                asked=each.asked,
                suggested=state.suggested,
                apart=self._apart.get(lead.id, ()),
            )
            is_quiet = department.merging.mode is MergeMode.DRY_RUN and not isinstance(choice, MergeInto)
            step = None if is_quiet else _merging_step(each, choice)
            if step:
                result.steps.append((each.sight, state, step))
            elif each.asked:
                self._keep_quiet(each, department, result)
            elif _is_news(known := timed(state, department, each.table.now), states[lead.id]):
                result.remembered.append(known)

    def _keep_quiet(self, wanted: _Wanted, department: Department, result: Decided) -> None:
        """A dry run asks nobody, and nobody is asked what he was told already: only that the lead was looked at in this
        stay is remembered."""
        state, now = wanted.table.state, wanted.table.now
        looked_at = timed(replace(state, fired=state.fired | {wanted.fired}), department, now)
        result.remembered.append(looked_at)
        if has_more(wanted.sight, Table(looked_at, department, now)):
            result.later.add(wanted.sight.lead.id)

    def _twins(
        self, wanted: Sequence[_Wanted], hints: Mapping[int, Hint], department: Department
    ) -> dict[int, list[Twin]]:
        """Named by distribute, or searched for."""
        search = TwinSearch(self._amocrm, department.country)
        named = {each.sight.lead.id: hints[each.sight.lead.id].twins for each in wanted if not each.asked}
        pairs = [(each.sight.lead, twins) for each in wanted if (twins := named.get(each.sight.lead.id))]
        sought = [each.sight.lead for each in wanted if named.get(each.sight.lead.id) is None]
        found = search.among(pairs) if pairs else {}
        return {**found, **(search.clients(sought, SEARCHES).twins if sought else {})}


def _before(known: LeadState, team: str, department: Department) -> Place | None:
    """Where the lead was before a person took it here, as far as we know."""
    if known.place is not None:
        return known.place
    roles = [
        pipeline.role for pipeline in department.pipelines if department.team_of_pipeline(pipeline.role).name == team
    ]
    return department.entry(roles[0]) if roles else None


def _leads_here(taken: Place, sight: Sight, state: LeadState, department: Department, now: datetime) -> bool:
    """Whether the routes bring the lead from there, with the answer that we took off it, where it is now."""
    assert state.last is not None, "only a lead that we have moved can have been swept"
    there = Sight(sight.lead, taken, state.last.answer)
    step = decide(there, Table(state.at(taken, now), department, now))
    return isinstance(step, Decision) and step.step in (Step.MOVE, Step.CLOSE) and step.to == state.last.to


def _seen(state: LeadState, sight: Sight, team: str, now: datetime) -> LeadState:
    """The state at the place where the lead stands; an answer that was taken off the card is forgotten."""
    here = state.at(sight.place, now)
    answer = here.answer if here.answer == sight.answer else ""
    return replace(here, seen_at=sight.lead.updated_at, team=here.team or team, answer=answer)


def _is_news(known: LeadState, before: LeadState) -> bool:
    """Whether what we know now is worth a write; of leads that no route has touched only due times are kept."""
    is_other = replace(known, seen_at=before.seen_at) != before
    return is_other and bool(before.version or known.due_at)


def _merging_step(wanted: _Wanted, choice: MergeInto | Suggest | Leave) -> Decision | None:
    sight, table, route, fired = wanted.sight, wanted.table, wanted.route, wanted.fired
    match choice:
        case MergeInto(survivor, why):
            lost = Place(sight.place.role, LOST_STAGE)
            return decision(
                sight,
                table,
                Step.MERGE,
                route=route,
                to=lost,
                reason="duplicate",
                answer=sight.answer,
                others=(survivor.id,),
                why=why.value,
                fired=fired,
            )
        case Suggest(twins, confirmable):
            others = tuple(twin.lead.id for twin in twins)
            told = table.state.suggested if not wanted.asked else () if confirmable else table.state.by_hand
            if set(others) <= set(told):
                return None
            doubt = "unsure" if any(not twin.sure for twin in twins) else "asked"
            doubt = doubt if confirmable else BY_HAND
            return decision(sight, table, Step.SUGGEST, route=route, others=others, why=doubt, fired=fired)
        case Leave(reason) if wanted.asked:
            return decision(sight, table, Step.TASK, route=route, reason=NO_SURVIVOR, why=reason, fired=fired)
    return None
