"""From messages to hints: a hook decides nothing, and most of them are echoes of our own writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.qualify_router.intake import Hint, Intake, take_in
from functions.shared.crm import Lead
from functions.shared.hooks import Reason
from functions.shared.inbox import read_batch
from functions.shared.intake import FOREIGN_ACCOUNT
from tests.builders import MONDAY_NOON as NOON
from tests.builders import form, sqs_record
from tests.router_desk import bus_body, lead_hook, tick_body
from tests.routing_support import ANNA, answer, make_department, place

DEPARTMENT = make_department()


def lead_at(at: str, says: str = "", **values: Any) -> Lead:
    pipeline_id, status_id = DEPARTMENT.ids(place(at))
    fields = (answer(DEPARTMENT, says),) if says else ()
    times = {"created_at": NOON, "updated_at": NOON, "responsible_user_id": ANNA, "fields": fields}
    return Lead(7, pipeline_id, status_id, **(times | values))


def take(*bodies: str) -> Intake:
    records = [sqs_record(body, f"m{number}") for number, body in enumerate(bodies)]
    return take_in(read_batch({"Records": records}), DEPARTMENT)


def hint_of(*bodies: str) -> Hint:
    return take(*bodies).hints[7]


class TestHooks:
    def test_a_move_says_where_the_lead_stands_and_since_when(self) -> None:
        hint = hint_of(lead_hook(lead_at("exchange.qualified")))
        assert hint.places == {place("exchange.qualified"): NOON}
        assert hint.messages == {"m0"}
        assert not hint.must_read and not hint.answers

    def test_an_update_counts_only_where_the_answer_field_is_filled(self) -> None:
        assert take(lead_hook(lead_at("exchange.new"), "update")).ignored == {"leads_update": 1}
        assert hint_of(lead_hook(lead_at("exchange.new", "qualified"), "update")).answers == {"qualified"}

    def test_an_answer_that_cannot_be_told_is_read(self) -> None:
        strange = replace(answer(DEPARTMENT, "qualified"), values=({"value": "?"},))
        hint = hint_of(lead_hook(lead_at("exchange.new", fields=(strange,)), "update"))
        assert hint.must_read and not hint.answers

    def test_other_filled_fields_are_no_answer(self) -> None:
        other = replace(answer(DEPARTMENT, "qualified"), field_id=12_345)
        assert take(lead_hook(lead_at("exchange.new", fields=(other,)), "update")).ignored == {"leads_update": 1}

    def test_a_new_lead_counts_only_where_a_route_is(self) -> None:
        assert hint_of(lead_hook(lead_at("exchange.qualified"), "add")).places
        assert take(lead_hook(lead_at("exchange.new"), "add")).ignored == {"leads_add": 1}

    @pytest.mark.parametrize("action", ["delete", "restore", "responsible", "note"])
    def test_other_actions_are_nothing_to_us(self, action: str) -> None:
        assert take(lead_hook(lead_at("exchange.qualified"), action)).ignored == {f"leads_{action}": 1}

    def test_a_place_that_is_not_on_the_map_is_nothing_to_us(self) -> None:
        lead = lead_at("exchange.new")
        intake = take(lead_hook(replace(lead, pipeline_id=9)), lead_hook(replace(lead, status_id=9)))
        assert (intake.hints, intake.ignored) == ({}, {"unknown_place": 2})

    def test_a_hook_that_does_not_say_where_the_lead_stands_is_read(self) -> None:
        assert hint_of(form({"leads[status][0][id]": 7})).must_read

    def test_hooks_of_another_account_are_ignored_and_counted(self) -> None:
        body = lead_hook(lead_at("exchange.qualified")).replace("firm", "other").replace("31000001", "1")
        assert take(body).ignored == {FOREIGN_ACCOUNT: 1}

    def test_a_body_that_is_no_hook_is_rejected_alone(self) -> None:
        intake = take("rubbish", lead_hook(lead_at("exchange.qualified")))
        assert [envelope.message_id for envelope in intake.rejected] == ["m0"]
        assert set(intake.hints) == {7}

    def test_absurd_dates_are_none(self) -> None:
        body = lead_hook(lead_at("exchange.qualified")).replace(str(int(NOON.timestamp())), "9" * 18)
        assert hint_of(body).places == {place("exchange.qualified"): None}


class TestMerged:
    def test_several_hooks_of_a_lead_become_one_hint(self) -> None:
        later = NOON + timedelta(minutes=1)
        hint = hint_of(
            lead_hook(lead_at("exchange.qualified", updated_at=later)),
            lead_hook(lead_at("exchange.new")),
            lead_hook(lead_at("exchange.qualified")),
            lead_hook(lead_at("exchange.new", "qualified"), "update"),
        )
        assert hint.places == {place("exchange.qualified"): later, place("exchange.new"): NOON}
        assert hint.said_at == later
        assert hint.answers == {"qualified"}
        assert hint.messages == {"m0", "m1", "m2", "m3"}

    def test_twins_that_nobody_could_look_for_are_unknown(self) -> None:
        assert Hint(7, twins=(1,)).merged(Hint(7)).twins == (1,)
        assert Hint(7, twins=None).merged(Hint(7, twins=(1,))).twins is None

    def test_a_hint_without_dates_was_said_at_no_time(self) -> None:
        assert Hint(7, {place("exchange.new"): None}).said_at is None


class TestBus:
    @staticmethod
    def assigned(**changes: Any) -> str:
        detail = {"lead_id": 7, "team": "lead_desk", "owner": ANNA, "cause": "arrival", "twins": [5]}
        return bus_body("LeadAssigned", detail | changes, NOON)

    def test_an_arrival_with_twins_is_looked_at(self) -> None:
        hint = hint_of(self.assigned())
        assert hint.arrived and hint.twins == (5,)
        assert hint_of(self.assigned(twins=None)).twins is None

    @pytest.mark.parametrize("changes", [{"twins": []}, {"cause": "route#1"}])
    def test_other_assignments_are_not(self, changes: dict[str, Any]) -> None:
        assert take(self.assigned(**changes)).ignored == {"LeadAssigned": 1}

    @pytest.mark.parametrize(
        "changes",
        [{"lead_id": "7"}, {"lead_id": 0}, {"lead_id": True}, {"lead_id": None}, {"twins": ["5"]}, {"twins": 5}],
    )
    def test_one_that_cannot_be_used_is_rejected_with_its_reason(self, changes: dict[str, Any]) -> None:
        intake = take(self.assigned(**changes))
        assert not intake.hints
        assert [envelope.rejection.reason for envelope in intake.rejected if envelope.rejection] == [
            Reason.BAD_BUS_EVENT
        ]

    def test_events_that_are_not_for_us_are_ignored(self) -> None:
        assert take(bus_body("SaleWon", {"lead_id": 7}, NOON)).ignored == {"SaleWon": 1}

    def test_a_tick_names_no_lead(self) -> None:
        intake = take(tick_body("stages", NOON))
        assert (intake.hints, intake.ignored, intake.rejected) == ({}, {}, [])


def test_moments_are_utc() -> None:
    hint = hint_of(lead_hook(lead_at("exchange.qualified", updated_at=datetime(2026, 1, 1, tzinfo=UTC))))
    assert hint.said_at == datetime(2026, 1, 1, tzinfo=UTC)
