"""Several workers merge leads of one client at once, and merges that were begun are dropped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from functions.qualify_router.merger import MergeOrder
from functions.shared.adapters.amocrm.lists import ListTooLong
from functions.shared.errors import AmoCrmUnavailable, Contended
from functions.shared.identity import Likeness
from functions.shared.merge import State
from tests.amocrm_support import NOTHING, hal, scripted
from tests.merge_support import HOUR, Office


@pytest.fixture
def office() -> Office:
    return Office()


def during(office: Office, monkeypatch: pytest.MonkeyPatch, method: str, work: Callable[[], object]) -> list[object]:
    """Let another worker do this when the next such call to amoCRM is through; returns what he got."""
    real, got = getattr(office.amocrm, method), []

    def call(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        monkeypatch.setattr(office.amocrm, method, real)
        got.append(work())
        return answer

    monkeypatch.setattr(office.amocrm, method, call)
    return got


def break_off(office: Office, *pair: Any) -> MergeOrder:
    """A merge whose worker dies when the tags are over and the notes are not."""
    order = office.order(*pair)
    office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
    with pytest.raises(AmoCrmUnavailable):
        office.merge_orders([order])
    return order


class TestTwoWorkers:
    @pytest.mark.parametrize("method", ["leads", "notes_since", "link", "change_leads", "add_notes"])
    def test_two_leads_never_go_into_each_other(self, office, monkeypatch, method):
        """Whenever the other worker comes: one of the leads goes on, and a neighbour of the batch is merged."""
        client = office.amocrm.add_contact()
        one, other = office.lead(), office.lead(contacts=[client.id])
        there, back = office.order(other, one), office.order(one, other)
        neighbour = office.order(office.duplicate(tags=["а"]), office.lead())
        theirs = during(office, monkeypatch, method, lambda: office.merge_orders([back]))
        ours = office.merge_orders([there, neighbour])
        assert [office.see(one).is_closed, office.see(other).is_closed].count(True) == 1
        assert neighbour.duplicate.id in ours.merged
        results = [ours, *theirs]
        assert sum(len(result.later) for result in results) == 1
        assert all(not result.refused for result in results)

    def test_a_lead_does_not_leave_while_another_goes_into_it(self, office, monkeypatch):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(), office.lead()
        onward = office.order(middle, last)
        theirs = during(office, monkeypatch, "change_leads", lambda: office.merge_orders([onward]))
        assert office.merge((first, middle)).merged
        assert theirs[0].later == {middle.id}
        assert not office.see(middle).is_closed
        assert office.merge_orders([office.order(middle, last)]).merged == {middle.id: last.id}
        assert office.see(last).tags == ("а",)

    def test_nothing_goes_into_a_lead_that_leaves(self, office, monkeypatch):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(tags=["б"]), office.lead()
        inward = office.order(first, middle)
        theirs = during(office, monkeypatch, "change_leads", lambda: office.merge_orders([inward]))
        assert office.merge((middle, last)).merged
        assert theirs[0].later == {first.id}
        assert not office.see(first).is_closed

    def test_two_may_go_into_one_lead_at_once(self, office, monkeypatch):
        survivor, one, other = office.lead(), office.duplicate(tags=["а"]), office.duplicate(tags=["б"])
        order = office.order(other, survivor)
        theirs = during(office, monkeypatch, "leads", lambda: office.merge_orders([order]))
        assert office.merge((one, survivor)).merged
        assert theirs[0].merged == {other.id: survivor.id}

    def test_who_waits_for_a_lead_holds_up_those_after_him(self, office, monkeypatch):
        """GIVEN a → b → c in one batch WHEN a is in other hands THEN b does not leave without it."""
        a, b, c, x = office.duplicate(), office.duplicate(), office.lead(), office.duplicate(tags=["x"])
        orders = [office.order(a, b), office.order(b, c)]
        theirs = during(office, monkeypatch, "change_leads", lambda: office.merge_orders(orders))
        office.merge((x, a))
        assert theirs[0].later == {a.id, b.id}
        assert not office.see(b).is_closed

    def test_a_dead_worker_holds_nothing_for_ever(self, office):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(), office.lead()
        dead = break_off(office, first, middle)
        assert office.merge((middle, last)).later == {middle.id}
        office.clock.advance(301)
        assert office.merge((middle, last)).merged == {middle.id: last.id}
        assert office.merge_orders([dead]).refused == {first.id: "вторая сделка уже закрыта"}
        assert office.entry(first).state is State.REFUSED

    def test_a_merge_that_is_taken_up_holds_its_leads_anew(self, office, monkeypatch):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(), office.lead()
        dead, onward = break_off(office, first, middle), office.order(middle, last)
        office.clock.advance(301)
        theirs = during(office, monkeypatch, "leads", lambda: office.merge_orders([onward]))
        assert office.merge_orders([dead]).merged
        assert theirs[0].later == {middle.id}


class TestGivenUp:
    def test_what_had_gone_over_comes_back(self, office):
        client = office.amocrm.add_contact()
        survivor, duplicate = office.lead(), office.duplicate(tags=["а"], contacts=[client.id], price=5)
        order = break_off(office, duplicate, survivor)
        assert office.see(survivor).tags == ("а",)
        for _ in range(2):
            office.merger.give_up(duplicate.id, order.key, office.department)
        now = office.see(survivor)
        assert (now.tags, now.contacts, now.price) == ((), (), 0)
        assert office.entry(duplicate).state is State.REFUSED
        assert office.merge((survivor, office.lead())).merged, "the lead is free"

    def test_what_was_never_begun_or_is_done_stays_as_it_is(self, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["а"])
        order = office.order(duplicate, survivor)
        office.merger.give_up(duplicate.id, order.key, office.department)
        office.merge_orders([order])
        office.merger.give_up(duplicate.id, order.key, office.department)
        assert office.entry(duplicate).state is State.DONE
        assert office.see(survivor).tags == ("а",)

    @pytest.mark.parametrize("side", ["survivor", "duplicate"])
    def test_a_deleted_card_does_not_hinder_it(self, office, side):
        survivor, duplicate = office.lead(), office.duplicate(tags=["а"])
        order = break_off(office, duplicate, survivor)
        office.amocrm.delete_lead({"survivor": survivor, "duplicate": duplicate}[side].id)
        office.merger.give_up(duplicate.id, order.key, office.department)
        assert office.entry(duplicate).state is State.REFUSED

    def test_it_waits_while_the_other_lead_is_in_work(self, office, monkeypatch):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(tags=["б"]), office.lead()
        order = break_off(office, first, middle)
        office.clock.advance(301)

        def give_up() -> None:
            with pytest.raises(Contended):
                office.merger.give_up(first.id, order.key, office.department)

        assert during(office, monkeypatch, "change_leads", give_up) == []
        assert office.merge((middle, last)).merged
        assert office.entry(first).state is State.PENDING


def test_an_order_may_name_its_survivor_by_its_id(office):
    survivor, duplicate, orphan = office.lead(), office.duplicate(tags=["а"]), office.duplicate()
    orders = [
        MergeOrder(office.see(duplicate), survivor.id, Likeness.PHONE, "1"),
        MergeOrder(office.see(orphan), 987654, Likeness.PHONE, "2"),
    ]
    result = office.merge_orders(orders)
    assert result.merged == {duplicate.id: survivor.id}
    assert result.refused == {orphan.id: "второй сделки больше нет"}


class TestUndoBesideAResumedMerge:
    def test_it_waits_for_the_worker_that_took_the_merge_up(self, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["а"])
        order = break_off(office, duplicate, survivor)
        office.clock.advance(600)
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        with pytest.raises(AmoCrmUnavailable):
            office.merge_orders([order])
        assert "right now" in office.undo(duplicate).refused
        office.clock.advance(121)
        assert office.undo(duplicate).refused == ""

    def test_a_list_that_was_read_before_the_merge_was_taken_up_undoes_nothing(self, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["а"])
        order = break_off(office, duplicate, survivor)
        listed = office.entry(duplicate)
        office.clock.advance(600)
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        with pytest.raises(AmoCrmUnavailable):
            office.merge_orders([order])
        assert "look at the list again" in office.undoing.undo(listed, office.department).refused
        assert office.entry(duplicate).state is State.PENDING


class TestManyNotes:
    def test_old_notes_of_a_busy_survivor_are_not_read(self, office, monkeypatch):
        survivor, duplicate = office.lead(), office.duplicate()
        office.amocrm.add_note(duplicate.id, "Раньше")
        asked: list[tuple[set[int], Any]] = []
        real = office.amocrm.notes_since
        monkeypatch.setattr(
            office.amocrm, "notes_since", lambda ids, since: asked.append((set(ids), since)) or real(ids, since)
        )
        office.merge((duplicate, survivor))
        assert (
            next(since for ids, since in asked if ids == {survivor.id}) >= office.clock.now() - timedelta(days=1) - HOUR
        )

    def test_a_list_with_more_rows_than_pages_is_read_half_by_half(self):
        wire, _ = scripted(_notes_of({1: 2, 2: 2, 3: 1}), read_size=1, max_pages=2)
        rows = wire.amocrm._activity._lists.of_leads("leads/notes", "notes", [1, 2, 3], [])
        assert sorted(row["id"] for row in rows) == [10, 11, 20, 21, 30]

    def test_one_lead_with_too_many_is_told_and_never_cut(self):
        wire, _ = scripted(_notes_of({1: 3}), read_size=1, max_pages=2)
        with pytest.raises(ListTooLong, match="more than 2 rows of leads/notes for lead 1"):
            wire.amocrm._activity._lists.of_leads("leads/notes", "notes", [1], [])


def _notes_of(counts: dict[int, int]) -> Callable[[httpx.Request], httpx.Response]:
    """A list of one row a page."""

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = map(int, request.url.params.get_list("filter[entity_id][]"))
        rows = [{"id": lead * 10 + n, "entity_id": lead} for lead in wanted for n in range(counts[lead])]
        page = int(request.url.params["page"])
        return hal("notes", rows[page - 1 : page], more=page < len(rows)) if page <= len(rows) else NOTHING

    return answer
