"""Which lead a duplicate goes into, and when a person is asked first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.qualify_router.merging import Leave, MergeInto, Suggest, choose
from functions.shared.crm import LOST, WON, Lead
from functions.shared.department import MergeMode, Merging
from functions.shared.identity import Likeness
from functions.shared.twins import Twin
from tests.builders import MONDAY_NOON
from tests.merge_support import answer, make_department, place, text_field

DEPARTMENT = make_department()
DAY = timedelta(days=1)


def lead(lead_id: int, where: str = "exchange.new", *, changed: int = 0, **values: Any) -> Lead:
    """A lead that changed so many days after Monday noon."""
    pipeline_id, status_id = DEPARTMENT.ids(place(where))
    at = MONDAY_NOON + changed * DAY
    return Lead(lead_id, pipeline_id, status_id, 1, MONDAY_NOON, at, **({"contacts": (7,)} | values))


def in_unsorted(lead_id: int) -> Lead:
    return replace(lead(lead_id), status_id=DEPARTMENT.pipeline_of("exchange").unsorted_status_id)


def twin(other: Lead, why: Likeness = Likeness.SAME_CONTACT, sure: bool = True) -> Twin:
    return Twin(other, why, sure)


def unsure(other: Lead) -> Twin:
    return twin(other, Likeness.PHONE, sure=False)


def chosen(newcomer: Lead, *twins: Twin, asked: bool = False, mode: MergeMode = MergeMode.AUTO, **known: Any) -> Any:
    department = replace(DEPARTMENT, merging=Merging(mode))
    return choose(newcomer, twins, department, asked=asked, suggested=known.pop("suggested", ()), **known)


class TestAtItsArrival:
    def test_a_lead_goes_into_the_running_lead_of_the_main_pipeline(self):
        running = lead(5, "main.offer")
        assert chosen(lead(1), twin(running)) == MergeInto(running, Likeness.SAME_CONTACT)

    def test_a_later_request_goes_into_the_earlier_one_of_the_exchange(self):
        assert chosen(lead(9), twin(lead(3))) == MergeInto(lead(3), Likeness.SAME_CONTACT)

    def test_an_earlier_request_does_not_go_into_a_later_one(self):
        assert chosen(lead(3), twin(lead(9))) == Leave("другие его сделки закрыты или сами ждут объединения")

    def test_main_comes_before_the_exchange_and_the_oldest_before_the_rest(self):
        twins = [twin(lead(2)), twin(lead(8, "main.contact", changed=5)), twin(lead(6, "main.contact"))]
        assert chosen(lead(9), *twins).survivor.id == 6

    @pytest.mark.parametrize("where", ["warm_up.warming", "aftercare.in_care"])
    def test_leads_to_whom_nobody_is_talking_take_nothing_in_unasked(self, where):
        assert isinstance(chosen(lead(9), twin(lead(3, where))), Leave)

    @pytest.mark.parametrize("where", ["warm_up.to_warm", "aftercare.new_client"])
    def test_nobody_arrives_in_warm_up_or_aftercare(self, where):
        assert chosen(lead(9, where), twin(lead(3, "main.offer"))) == Leave()

    def test_a_card_that_a_route_has_copied_is_no_duplicate(self):
        copy = lead(9, "main.received", fields=(text_field(DEPARTMENT.origin_field, "https://…/3"),))
        assert chosen(copy, twin(lead(3, "main.offer"))) == Leave()

    def test_a_match_that_is_not_sure_is_suggested(self):
        mother = unsure(lead(3))
        assert chosen(lead(9), mother) == Suggest((mother,))

    def test_a_sure_match_goes_before_a_doubtful_one_in_a_better_pipeline(self):
        assert chosen(lead(9), unsure(lead(2, "main.offer")), twin(lead(3))).survivor.id == 3

    def test_a_suggestion_alone_confirms_nothing(self):
        assert isinstance(chosen(lead(9), unsure(lead(3)), suggested=[3]), Suggest)

    def test_of_two_leads_at_most_one_goes_into_the_other(self):
        one, other = lead(3), lead(9)
        choices = [chosen(one, twin(other)), chosen(other, twin(one))]
        assert [type(choice) for choice in choices] == [Leave, MergeInto]


class TestWhenAPersonAsks:
    def test_the_lead_that_changed_last_takes_it_in(self):
        twins = [twin(lead(2, "main.offer", changed=1)), twin(lead(8, "main.contact", changed=3))]
        assert chosen(lead(1), *twins, asked=True).survivor.id == 8

    def test_pipelines_in_conversation_come_first_however_long_ago(self):
        twins = [twin(lead(number, where, changed=number)) for number, where in enumerate(ORDER[::-1], start=2)]
        for where in ORDER:
            best = chosen(lead(1), *twins, asked=True).survivor
            assert DEPARTMENT.place(best.pipeline_id, best.status_id) == place(where)
            twins = [each for each in twins if each.lead != best]

    def test_a_person_may_merge_an_earlier_lead_into_a_later_one(self):
        assert chosen(lead(3, "exchange.in_conversation"), twin(lead(9)), asked=True).survivor.id == 9

    def test_a_doubtful_match_is_suggested_first(self):
        sister = unsure(lead(3, "main.offer"))
        assert chosen(lead(9), sister, asked=True) == Suggest((sister,))

    def test_asking_again_after_the_suggestion_confirms_it(self):
        sister = unsure(lead(3, "main.offer"))
        assert chosen(lead(9), sister, asked=True, suggested=[3]) == MergeInto(sister.lead, Likeness.PERSON)

    def test_a_suggestion_of_another_lead_confirms_nothing(self):
        assert isinstance(chosen(lead(9), unsure(lead(3)), asked=True, suggested=[4]), Suggest)

    def test_nobody_can_tell_whom_of_a_family_was_meant(self):
        mother, son = unsure(lead(3, contacts=(30,))), unsure(lead(4, contacts=(40,)))
        assert isinstance(chosen(lead(9), mother, son, asked=True, suggested=[3, 4]), Suggest)

    def test_several_leads_of_the_one_client_that_was_suggested_are_no_riddle(self):
        old, running = unsure(lead(3, contacts=(30,))), unsure(lead(4, "main.offer", contacts=(30, 31)))
        assert chosen(lead(9), old, running, asked=True, suggested=[3, 4]).survivor.id == 4

    def test_a_card_that_a_route_has_copied_may_be_merged_by_a_person(self):
        copy = lead(9, "main.received", fields=(text_field(DEPARTMENT.origin_field, "https://…/3"),))
        assert isinstance(chosen(copy, twin(lead(3, "main.offer")), asked=True), MergeInto)

    def test_no_other_lead_at_all_leaves_nothing_to_say(self):
        assert chosen(lead(9), asked=True) == Leave()


ORDER = ["main.contact", "exchange.new", "warm_up.warming", "aftercare.in_care"]


class TestNeverInto:
    @pytest.mark.parametrize("asked", [False, True])
    @pytest.mark.parametrize(
        "other",
        [
            replace(lead(3, "main.offer"), status_id=WON),
            replace(lead(3, "main.offer"), status_id=LOST),
            lead(3, "main.offer", is_deleted=True),
            in_unsorted(3),
            lead(3, "exchange.in_conversation"),
            lead(3, "exchange.qualifying", fields=(answer(DEPARTMENT, "in_conversation"),)),
            lead(3, "main.conditional_refusal", fields=(answer(DEPARTMENT, "in_conversation"),)),
            replace(lead(3), pipeline_id=999),
            lead(9, "main.offer"),
        ],
        ids=["won", "lost", "deleted", "unsorted", "duplicate", "answered", "refused", "foreign", "itself"],
    )
    def test_what_cannot_go_on(self, other, asked):
        assert isinstance(chosen(lead(9), twin(other), asked=asked), Leave)

    def test_but_into_a_stage_that_the_department_does_not_know(self):
        running = replace(lead(3, "main.offer"), status_id=424242)
        assert chosen(lead(9), twin(running)).survivor == running

    def test_but_into_a_lead_whose_answer_asks_for_something_else(self):
        running = lead(3, "main.conditional_refusal", fields=(answer(DEPARTMENT, "qualified"),))
        assert isinstance(chosen(lead(9), twin(running)), MergeInto)

    @pytest.mark.parametrize("gone", [{"status_id": LOST}, {"status_id": WON}, {"is_deleted": True}])
    def test_a_lead_that_is_over_goes_nowhere(self, gone):
        assert chosen(replace(lead(9), **gone), twin(lead(3, "main.offer")), asked=True) == Leave()


class TestApart:
    """Leads that a person has separated by undoing a merge."""

    @pytest.mark.parametrize("asked", [False, True])
    @pytest.mark.parametrize("suggested", [(), (3,)])
    def test_they_are_only_suggested(self, asked, suggested):
        other = twin(lead(3, "main.offer"))
        assert chosen(lead(9), other, asked=asked, suggested=suggested, apart={3}) == Suggest(
            (other,), confirmable=False
        )

    def test_others_are_merged_as_ever(self):
        twins = [twin(lead(3, "main.offer")), twin(lead(4))]
        assert chosen(lead(9), *twins, apart={3}).survivor.id == 4


class TestModes:
    @pytest.mark.parametrize("asked", [False, True])
    def test_off_looks_at_nothing(self, asked):
        choice = chosen(lead(9), twin(lead(3, "main.offer")), asked=asked, mode=MergeMode.OFF, suggested=[3])
        assert choice == Leave("объединение выключено")

    @pytest.mark.parametrize("asked", [False, True])
    def test_suggest_asks_for_every_match(self, asked):
        other = twin(lead(3, "main.offer"))
        assert chosen(lead(9), other, asked=asked, mode=MergeMode.SUGGEST) == Suggest((other,))

    def test_suggest_does_what_a_person_has_confirmed(self):
        other = twin(lead(3, "main.offer"))
        choice = chosen(lead(9), other, asked=True, mode=MergeMode.SUGGEST, suggested=[3])
        assert choice == MergeInto(other.lead, Likeness.PERSON)

    def test_dry_run_decides_as_auto_does(self):
        other = twin(lead(3, "main.offer"))
        assert chosen(lead(9), other, mode=MergeMode.DRY_RUN) == chosen(lead(9), other)


@st.composite
def crowds(draw):
    """Leads of one client anywhere in the department."""
    places = [str(place(f"{p.role}.{key}")) for p in DEPARTMENT.pipelines for key in p.stages]
    ids = draw(st.lists(st.integers(1, 50), min_size=2, max_size=6, unique=True))
    return [lead(i, draw(st.sampled_from(places)), changed=draw(st.integers(0, 9))) for i in ids]


@given(crowds())
def test_arrivals_never_merge_in_a_circle_and_all_end_in_one_lead(crowd):
    """However many leads a client has: whoever follows the choices from lead to lead comes to an end."""
    goes_to = {}
    for one in crowd:
        choice = chosen(one, *(twin(other) for other in crowd if other != one))
        if isinstance(choice, MergeInto):
            goes_to[one.id] = choice.survivor.id
    for start in goes_to:
        seen = [start]
        while seen[-1] in goes_to:
            seen.append(goes_to[seen[-1]])
            assert len(seen) == len(set(seen))
    assert len(set(goes_to.values())) <= 1


@given(crowds(), st.booleans(), st.sets(st.integers(1, 50)), st.sets(st.integers(1, 50)))
def test_what_is_chosen_is_always_a_running_lead_that_is_allowed(crowd, asked, suggested, apart):
    one, *others = crowd
    choice = chosen(one, *map(twin, others), asked=asked, suggested=suggested, apart=apart)
    if isinstance(choice, MergeInto):
        assert choice.survivor in others
        assert not choice.survivor.is_closed
        assert choice.survivor.id not in apart


class TestNamed:
    """A person has hung the other lead's client on this one."""

    def other(self, contacts):
        found = twin(replace(lead(3, "main.offer"), contacts=contacts), sure=False)
        return replace(found, why=Likeness.SAME_CONTACT)

    def test_who_says_duplicate_then_means_that_lead(self):
        mine = replace(lead(9), contacts=(91, 31))
        assert chosen(mine, self.other((31,)), asked=True).survivor.id == 3

    def test_at_arrival_it_is_only_a_question(self):
        mine = replace(lead(9), contacts=(91, 31))
        assert isinstance(chosen(mine, self.other((31,))), Suggest)

    def test_an_agent_who_is_the_main_contact_of_neither_names_nobody(self):
        mine = replace(lead(9), contacts=(91, 50))
        assert isinstance(chosen(mine, self.other((31, 50)), asked=True), Suggest)
