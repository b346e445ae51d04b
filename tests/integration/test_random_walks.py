"""Random walks: people move cards about while both functions work, die and come back; hooks are doubled, late and
shuffled. Whatever happens, in the end every lead stands where the last decision of a person says.

The oracle is the article's table below; it shares nothing with functions/qualify_router.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from functions.shared.crm import LOST, Lead
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable, RetryLater
from functions.shared.lead_state import LeadState
from infra.department.preset import MODELS, PIPELINES
from tests.router_desk import LEADS, STAGES, Killed, Letter, Office, lead_hook, tick_body
from tests.routing_support import EMAILS, TOKEN_USER, make_department, place

WALKS, MOVES = 500, 40

MERGED, BACK = "merged", "back"
STAGE_ARROWS = {
    "exchange.not_target": "exchange.lost",
    "exchange.in_conversation": MERGED,
    "exchange.no_information": "warm_up.to_warm",
    "exchange.qualified": "main.received",
    "main.not_ready": "warm_up.to_warm",
    "warm_up.warmed": BACK,
    "aftercare.offer": "aftercare.in_care",
}
ANSWER_ARROWS = {
    "not_target": "lost",
    "in_conversation": MERGED,
    "no_information": "warm_up.to_warm",
    "qualified": "main.received",
}
"""What «Итог квалификации» says anywhere in the exchange, and of a conditional refusal in the main pipeline."""

ENTRIES = {"exchange": "exchange.new", "main": "main.received"}
ROLES = ("exchange", "warm_up", "main", "aftercare")

PEOPLE = sorted(EMAILS.keys() - {TOKEN_USER})

ANYWHERE = [
    f"{pipeline.role}.{stage}"
    for pipeline in PIPELINES
    for stage in (*(stage.key for stage in pipeline.stages), "won", "lost")
]
WHERE_IT_MATTERS = [*STAGE_ARROWS, "main.conditional_refusal", "main.won", "exchange.new", "main.contact"]

acts = st.tuples(
    st.integers(0, 5),
    st.one_of(
        st.tuples(st.just("move"), st.sampled_from(WHERE_IT_MATTERS)),
        st.tuples(st.just("move"), st.sampled_from(ANYWHERE)),
        st.tuples(st.just("answer"), st.sampled_from([*ANSWER_ARROWS, ""])),
        st.tuples(st.just("owner"), st.sampled_from(PEOPLE)),
    ),
)
"""(which lead, what a person does with it)"""

incidents = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(
            ["person", "person", "person", "dies", "dies_after", "fails", "stumbles", "answer_lost", "other_worker"]
        ),
        acts,
    ),
    max_size=2,
)
"""What happens at which call of the functions to the world."""

mail = st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=5), max_size=3)
"""Batches; of every message its number among those that wait, above 80 it comes once more later."""

gaps = st.sampled_from([0, 1, 20, 90, 700, 4000, 6000, 90_000])
"""Seconds until the next move; a late hook of amoCRM comes after an hour and a half."""

A_MOMENT = timedelta(seconds=60)
"""Longer than a worker can take from reading a card to writing it."""


@dataclass
class Wish:
    """The last decision of people about a lead: it may end at one of `ends`."""

    place: str
    answer: str
    ends: set[str]


@dataclass
class Tally:
    """What happened to a lead."""

    acts: int = 0
    our_moves: int = 0
    lost: int = 0
    won: int = 0
    offers: int = 0


class Walk(RuleBasedStateMachine):
    """One account with three leads of two clients, and however many copies the routes make."""

    @initialize(model=st.sampled_from(sorted(MODELS)), lag=st.sampled_from([0, 0, 4]), seed=st.integers(0, 2**32 - 1))
    def opens(self, model: str, lag: int, seed: int) -> None:
        self.office = Office(replace(make_department(model), hop_limit=1000))
        self.amocrm = self.office.amocrm
        self.random = random.Random(seed)
        self.wishes: dict[int, Wish] = {}
        self.tallies: dict[int, Tally] = {}
        self.spent: dict[int, str] = {}
        self.foggy: set[int] = set()
        self.answered_at: dict[int, datetime] = {}
        self.came_from: dict[int, set[str]] = {}
        self.chosen: dict[int, set[int]] = {}
        self.hasty: set[int] = set()
        self.plan: list[Any] = []
        self.calls = self.depth = self.accidents = 0
        self.by_hand = self.calm = False
        self.touched: set[int] = set()
        self.just_closed: set[int] = set()
        self.in_work: list[int] = []
        self.office.step = self.at_step
        self.amocrm.watch = self.watch
        one, other = self.amocrm.add_contact(), self.amocrm.add_contact()
        for at in ("exchange.new", "main.contact"):
            self.has_long_been(at, one.id)
        self.office.letters.clear()
        self.office.lead("exchange.new", TOKEN_USER, contacts=[other.id])
        self.office.deliver(self.office.waiting())  # and this one is given to somebody
        self.amocrm.list_lag = timedelta(seconds=lag)

    def has_long_been(self, at: str, contact: int) -> None:
        """A lead that was given to somebody and routed some day."""
        to = place(at)
        lead_id = self.office.lead(at, self.members(to.role)[0], contacts=[contact])
        team = self.office.department.team_of_pipeline(to.role).name
        self.office.states.put(LeadState(lead_id, team=team, told=to.role).at(to, self.office.clock.now()))

    # -- the walk --------------------------------------------------------------------------------------------------

    @rule(act=acts, batches=mail, events=incidents, gap=gaps)
    def move(self, act: Any, batches: Any, events: Any, gap: int) -> None:
        self.office.clock.advance(gap)
        self.person(act)
        self.plan, self.calls = sorted(events, key=lambda event: event[0]), 0
        for numbers in batches:
            self.deliver(numbers)
        self.plan = []

    def deliver(self, numbers: list[int]) -> None:
        waiting = self.office.waiting()
        if not waiting:
            return
        picked = {number % len(waiting): number for number in numbers}
        letters = [waiting[index] for index in picked]
        twice = {waiting[index].id for index, number in picked.items() if number > 80}
        self.deliver_letters(letters, twice)

    def deliver_letters(self, letters: list[Letter], twice: Any = ()) -> None:
        self.depth += 1
        if self.depth == 1:
            self.touched, self.just_closed = set(), set()
            self.in_work = [lead for lead in self.tallies if any(str(lead) in letter.body for letter in letters)]
        try:
            self.office.deliver(letters, twice)
        finally:
            self.depth -= 1

    def at_step(self, step: str) -> None:
        """Before and after every call of a function: time goes by, and things happen."""
        if step.startswith("before"):
            self.office.clock.advance(0.25)
            return self.happen(step) if self.due(step) else None
        if self.due_after():
            self.happen(step)
        return None

    def due(self, step: str) -> bool:
        self.calls += 1
        return (
            bool(self.plan) and self.plan[0][0] <= self.calls and self.plan[0][1] not in ("dies_after", "answer_lost")
        )

    def due_after(self) -> bool:
        return bool(self.plan) and self.plan[0][0] <= self.calls and self.plan[0][1] in ("dies_after", "answer_lost")

    def happen(self, step: str) -> None:
        _, kind, act = self.plan.pop(0)
        if kind == "person":
            self.person(act, self.in_work)
        elif kind == "other_worker":
            waiting = [each for each in self.office.waiting() if any(str(lead) in each.body for lead in self.in_work)]
            if waiting and self.depth < 2:
                self.deliver_letters([waiting[act[0] % len(waiting)]])
        else:
            self.accidents += 1
            self.foggy |= self.just_closed  # whoever dies before he notes it down does not know what he has acted on
            if kind in ("dies", "dies_after"):
                raise Killed(step)
            if kind == "stumbles":
                raise ZeroDivisionError(step)  # a bug of ours
            if "amocrm" in step:
                raise AmbiguousWrite(step) if kind == "answer_lost" else AmoCrmUnavailable(step)
            raise RetryLater(step)

    # -- people ------------------------------------------------------------------------------------------------------

    def person(self, act: Any, in_work: Collection[int] = ()) -> None:
        """Does something with a card, mostly with one that somebody works at."""
        number, (kind, what) = act
        leads = sorted(in_work if in_work and number % 3 else self.tallies)
        lead_id = leads[number % len(leads)]
        self.by_hand, self.calm = True, self.is_known(lead_id)
        if self.depth:
            self.touched.add(lead_id)
        try:
            if kind == "owner":
                self.amocrm.human_reassigns(lead_id, what)
                # where lists lag, or in the midst of a run, a worker may have read who had it before
                is_certain = not self.depth and not self.amocrm.list_lag
                self.chosen[lead_id] = {what} | (set() if is_certain else self.chosen.get(lead_id, set()))
                return
            before = self.office.at(lead_id), self.office.answer(lead_id)
            if kind == "move" and what != before[0]:
                self.office.move(lead_id, what)
            elif kind == "answer" and what != before[1]:
                self.office.says(lead_id, what)
                self.answered_at[lead_id] = self.office.clock.now()
                self.foggy.discard(lead_id)
                if what == self.spent.get(lead_id):
                    self.foggy.add(lead_id)  # chosen again: nobody need have seen that it was another in between
            else:
                return
        finally:
            self.by_hand = False
        self.tallies[lead_id].acts += 1
        place, answer = self.office.at(lead_id), self.office.answer(lead_id)
        ends = self.ends(lead_id, place, answer)
        answered_at = self.answered_at.get(lead_id)
        just_answered = answered_at is not None and self.office.clock.now() - answered_at < A_MOMENT
        if self.depth:  # a worker may be writing what it has read before: it takes its answer off the card
            ends |= self.ends(lead_id, place, "")
        if self.depth or just_answered:  # and leaves another one there
            ends |= {end for entry in set(ENTRIES.values()) & ends for end in self.ends_of(lead_id, entry, answer)}
            if kind == "answer":
                ends |= self.wishes[lead_id].ends
        if kind == "answer" and place not in self.wishes[lead_id].ends:  # it was swept away and will be put back
            ends |= self.ends(lead_id, self.wishes[lead_id].place, answer)
        self.wishes[lead_id] = Wish(place, answer, ends)

    # -- the oracle --------------------------------------------------------------------------------------------------

    def ends(self, lead_id: int, place: str, answer: str) -> set[str]:
        """Where a lead ends that a person has left here, by the article's table."""
        if answer and lead_id in self.foggy:
            return self.ends_of(lead_id, place, answer) | self.ends_of(lead_id, place, "")
        return self.ends_of(lead_id, place, "" if answer == self.spent.get(lead_id) else answer)

    def ends_of(self, lead_id: int, place: str, answer: str) -> set[str]:
        role, _, stage = place.partition(".")
        arrow = STAGE_ARROWS.get(place)
        if stage in ("won", "lost"):
            return {place}
        if arrow is None and (role == "exchange" or place == "main.conditional_refusal"):
            arrow = ANSWER_ARROWS.get(answer)
        if arrow is None:
            return {place}
        if arrow == "lost":
            return {f"{role}.lost"}
        if arrow == MERGED:  # without another running lead the field counts
            others = self.ends_of(lead_id, ENTRIES["exchange"], answer) if place in STAGE_ARROWS and answer else set()
            return {place, f"{role}.lost"} | others - {ENTRIES["exchange"]}
        if arrow == BACK:
            return {ENTRIES[each] for each in self.came_from.get(lead_id, {"exchange"})}
        return {arrow}

    def watch(self, before: Lead | None, after: Lead) -> None:
        """Every change of a lead, whoever made it."""
        lead_id, place = after.id, self.office.at(after.id)
        if before is None:
            self.tallies[lead_id] = Tally()
            self.wishes[lead_id] = Wish(place, "", {place})
            if (origin := self.origin(after)) in self.chosen:
                self.chosen[lead_id] = self.chosen[origin]
            return
        was = str(self.office.department.place(before.pipeline_id, before.status_id))
        assert after.responsible_user_id != 0, "nobody owns it"
        if was == place:
            return
        tally = self.tallies[lead_id]
        tally.our_moves += not self.by_hand
        tally.lost += place.endswith(".lost")
        tally.won += place.endswith(".won")
        tally.offers += place == "aftercare.offer" and self.by_hand
        if not self.by_hand and after.status_id == LOST:
            self.spent[lead_id] = self.office.answer(lead_id)
            self.just_closed.add(lead_id)
            if lead_id in self.answered_at and self.office.clock.now() - self.answered_at[lead_id] < A_MOMENT:
                self.foggy.add(lead_id)  # the route may have acted on what was there before
        role, came = place.partition(".")[0], was.partition(".")[0]
        is_elsewhere = self.members(role) != self.members(came) or before.is_closed != after.is_closed
        if is_elsewhere and not (self.calm if self.by_hand else self.is_handed_over(lead_id)):
            self.hasty.add(lead_id)
        is_known = self.calm if self.by_hand else not self.amocrm.list_lag and lead_id not in self.touched
        if role == "warm_up" and came != "warm_up":
            self.came_from[lead_id] = {came} if is_known and came in ENTRIES else set(ENTRIES)

    def is_known(self, lead_id: int) -> bool:
        """Whether the router knows where the lead stands, and no hand-over of it is under way."""
        if self.depth or not self.is_handed_over(lead_id):
            return False
        state = self.office.states.of([lead_id])[lead_id]
        return state.pending is None and str(state.place) == self.office.at(lead_id)

    def is_handed_over(self, lead_id: int) -> bool:
        """Whether no hand-over of this lead is under way."""
        letters = [each.body for each in self.office.letters.values() if each.queue == LEADS]
        return not any(str(lead_id) in body and "LeadClosed" not in body for body in letters)

    def members(self, role: str) -> list[int]:
        team = self.office.department.team_of_pipeline(role)
        return [member.user_id for member in team.members]

    # -- the end -----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "office"):
            return
        self.settle()
        for lead_id in self.tallies:
            self.check(lead_id)
        self.check_echoes()

    def settle(self) -> None:
        """Deliver everything, in any order, some of it twice, until nothing comes any more."""
        ticks = 2
        for _ in range(600):
            waiting = self.office.waiting()
            if waiting:
                self.random.shuffle(waiting)
                letters = waiting[: self.random.randint(1, 10)]
                twice = {letter.id for letter in letters if letter.received == 1 and self.random.random() < 0.2}
                self.deliver_letters(letters, twice)
            elif self.office.letters:
                until = min(letter.visible_at for letter in self.office.letters.values())
                self.office.clock.advance((until - self.office.clock.now()).total_seconds() + 0.1)
            elif ticks:
                ticks -= 1  # two: a tick looks at every copy once, and what comes of it may want another
                self.office.post(STAGES, tick_body("stages", self.office.clock.now()))
            else:
                return
        left = [(each.queue, each.received, each.body[:200]) for each in self.office.letters.values()]
        raise AssertionError(f"messages keep coming back: {left}")

    def check(self, lead_id: int) -> None:
        place, wish, tally = self.office.at(lead_id), self.wishes[lead_id], self.tallies[lead_id]
        assert place in wish.ends, f"{lead_id} stands in {place}; the last decision was {wish}"
        state = self.office.states.of([lead_id])[lead_id]
        assert state.pending is None, "a step is begun and not done"
        assert not state.parked
        assert tally.our_moves <= 3 * tally.acts + 1, f"{tally} moves of ours"
        self.check_events(lead_id, place, tally)
        self.check_owner(lead_id, place)

    def check_events(self, lead_id: int, place: str, tally: Tally) -> None:
        bus = self.office.router_bus
        closed, sold = len(bus.of("LeadClosed", lead_id)), len(bus.of("SaleWon", lead_id))
        assert place.endswith(".lost") <= closed <= tally.lost + self.accidents, f"{closed} LeadClosed: {tally}"
        assert place.endswith(".won") <= sold <= tally.won + self.accidents, f"{sold} SaleWon: {tally}"
        copies = [lead for lead in self.amocrm.see_all() if self.origin(lead) == lead_id]
        cards = [lead for lead in copies if lead.created_by == 0 and self.first_place(lead) == "aftercare.new_client"]
        assert len(cards) <= 1, f"{len(cards)} cards in aftercare for one sale"
        assert len(copies) - len(cards) <= tally.offers, f"{len(copies)} copies: {tally}"

    def check_owner(self, lead_id: int, place: str) -> None:
        owner = self.amocrm.owner(lead_id)
        role, _, stage = place.partition(".")
        if stage in ("won", "lost"):
            assert owner != 0
            return
        # who takes a lead on before its hand-over was heard of leaves it to whom it belonged: it never is nobody's
        team = (
            self.members(role) if lead_id not in self.hasty else [user for role in ROLES for user in self.members(role)]
        )
        assert owner in team or owner in self.chosen.get(lead_id, ()), f"{owner} has {lead_id} in {place}"

    def check_echoes(self) -> None:
        for lead_id in self.tallies if not self.amocrm.list_lag else ():
            if not self.office.answer(lead_id):
                asked = self.amocrm.asked()
                self.office.post(STAGES, lead_hook(self.amocrm.see(lead_id)))
                self.deliver_letters(self.office.waiting())
                assert self.amocrm.asked() == asked, "an echo costs requests"

    def origin(self, lead: Lead) -> int:
        filled = lead.filled(self.office.department.origin_field)
        return int(str(filled.values[0]["value"]).rpartition("/")[2]) if filled else 0

    def first_place(self, lead: Lead) -> str:
        first = self.amocrm._history[lead.id][0][1]
        return str(self.office.department.place(first.pipeline_id, first.status_id))


def test_every_lead_ends_where_the_last_human_decision_says() -> None:
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=MOVES,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            derandomize=True,
        ),
    )
