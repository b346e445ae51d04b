"""The journal of merges on DynamoDB's substitute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from functions.shared.adapters.dynamodb.merges import AT_ONCE, Merges
from functions.shared.errors import Contended
from functions.shared.identity import Likeness
from functions.shared.merge import Added, Merge, State
from tests.builders import ANNA, MONDAY_NOON
from tests.merge_support import HOUR

DAY = "2026-11-23"
ADDED = Added(contacts=(5, 6), company=7, tags=("vip",), fields=(50, 51), price=True, tasks={8: ANNA, 9: 0})


def merge(duplicate_id: int, survivor_id: int = 1, **values: Any) -> Merge:
    fixed = {"why": Likeness.EMAIL, "at": MONDAY_NOON, "day": DAY, "place": (100, 1001), "owner": ANNA}
    key = values.pop("key", f"{duplicate_id}#1")
    return Merge(key, duplicate_id, survivor_id, **(fixed | {"department_version": 3, "added": ADDED} | values))


def ids(merges: list[Merge]) -> list[int]:
    return [each.duplicate_id for each in merges]


@pytest.fixture
def merges(table) -> Merges:
    return Merges(table)


def test_a_merge_comes_back_as_it_was_stored(merges):
    merges.begin([merge(2)], per_day=50)
    assert merges.find([(2, "2#1"), (3, "3#1")]) == {"2#1": merge(2)}
    assert merges.of_lead(2) == [merge(2)]


def test_it_is_finished_refused_and_looked_up_by_its_day(merges):
    merges.begin([merge(2), merge(3), merge(4, at=MONDAY_NOON + HOUR)], per_day=50)
    merges.finish([merge(2)])
    merges.refuse(merge(3), "вторая сделка уже закрыта")
    found = merges.of_days(["2026-11-22", DAY])
    assert [(each.duplicate_id, each.state) for each in found] == [
        (4, State.PENDING),
        (3, State.REFUSED),
        (2, State.DONE),
    ]
    assert found[1].reason == "вторая сделка уже закрыта"


def test_a_finished_merge_is_not_refused_any_more(merges):
    merges.begin([merge(2)], per_day=50)
    merges.finish([merge(2)])
    merges.refuse(merge(2), "too late")
    assert merges.of_lead(2)[0].state is State.DONE


def test_nothing_is_made_up_for_a_merge_that_was_never_begun(merges):
    merges.refuse(merge(2), "x")
    merges.finish([merge(2)])
    assert merges.of_lead(2) == []


class TestCeiling:
    def test_the_day_takes_as_many_as_it_may_and_the_first_come_first(self, merges):
        assert merges.room(DAY, 3) == 3
        assert ids(merges.begin([merge(number) for number in (2, 3, 4, 5)], per_day=3).merges) == [2, 3, 4]
        assert merges.room(DAY, 3) == 0
        assert merges.begin([merge(6)], per_day=3).merges == []
        assert merges.of_lead(5) == []
        assert ids(merges.begin([merge(6, day="2026-11-24")], per_day=3).merges) == [6]

    def test_a_ceiling_that_was_lowered_meanwhile_lets_nothing_through(self, merges):
        merges.begin([merge(2), merge(3)], per_day=50)
        assert merges.room(DAY, 1) == 0
        assert merges.begin([merge(4)], per_day=1).merges == []

    def test_more_than_a_transaction_holds_are_begun_in_several(self, merges):
        crowd = [merge(number, survivor_id=1000 + number) for number in range(2, 2 * AT_ONCE + 5)]
        assert merges.begin(crowd, per_day=500).merges == crowd
        assert len(merges.of_days([DAY])) == len(crowd)

    def test_two_workers_never_pass_it_together(self, table):
        """The other one counts between our reading and our writing."""
        other = Merges(table)

        class Interrupted(Merges):
            def _day(self, day: str) -> Any:
                row = super()._day(day)
                if not other.of_lead(9):
                    other.begin([merge(9)], per_day=2)
                return row

        assert ids(Interrupted(table).begin([merge(2), merge(3)], per_day=2).merges) == [2]
        assert len(other.of_days([DAY])) == 2

    def test_a_merge_that_another_worker_has_begun_is_his_and_the_others_are_begun(self, merges):
        merges.begin([merge(2)], per_day=50)
        begun = merges.begin([merge(2), merge(3)], per_day=50)
        assert (ids(begun.merges), ids(begun.busy)) == ([3], [2])
        assert merges.room(DAY, 50) == 48

    @pytest.mark.parametrize("state", [State.REFUSED, State.DRY_RUN])
    def test_one_of_which_nothing_was_kept_may_be_begun_again(self, merges, state):
        if state is State.REFUSED:
            merges.begin([merge(2)], per_day=50)
            merges.refuse(merge(2), "x")
        else:
            merges.record([merge(2, state=state)])
        assert ids(merges.begin([merge(2, survivor_id=7)], per_day=50).merges) == [2]
        assert [each.survivor_id for each in merges.of_lead(2)] == [7]
        assert len(merges.of_days([DAY])) == 1
        assert merges.into(1) == []
        assert ids(merges.into(7)) == [2]


def test_dry_runs_are_listed_and_use_up_no_room(merges):
    merges.record([merge(2, state=State.DRY_RUN), merge(3, state=State.DRY_RUN)])
    assert sorted(ids(merges.of_days([DAY]))) == [2, 3]
    assert merges.room(DAY, 50) == 50
    assert merges.into(1) == []


def test_what_a_repeated_run_adds_is_kept(merges):
    merges.begin([merge(2)], per_day=50)
    more = replace(merge(2), added=ADDED.with_more(Added(tags=("new",))))
    merges.extend(more)
    assert merges.of_lead(2) == [more]


def test_nothing_is_added_to_a_merge_that_a_person_undoes(merges):
    merges.begin([merge(2)], per_day=50)
    merges.begin_undo(merge(2), MONDAY_NOON)
    with pytest.raises(Contended):
        merges.extend(merge(2))
    merges.finish([merge(2)])
    assert merges.of_lead(2)[0].state is State.UNDOING


class TestUndoing:
    def test_both_leads_are_kept_apart_from_its_beginning(self, merges):
        merges.begin([merge(2)], per_day=50)
        assert merges.apart_of([1, 2, 3]) == {1: set(), 2: set(), 3: set()}
        assert merges.begin_undo(merge(2), MONDAY_NOON)
        assert merges.apart_of([1, 2, 3]) == {1: {2}, 2: {1}, 3: set()}
        assert merges.begin_undo(merge(2), MONDAY_NOON), "after a crash it is begun again"
        merges.finish_undo(merge(2))
        assert merges.apart_of([2]) == {2: {1}}
        assert not merges.begin_undo(merge(2), MONDAY_NOON)

    def test_apart_from_several(self, merges):
        for number in (2, 3):
            merges.begin([merge(number)], per_day=50)
            merges.begin_undo(merge(number), MONDAY_NOON)
        assert merges.apart_of([1]) == {1: {2, 3}}

    @pytest.mark.parametrize("state", [State.REFUSED, State.DRY_RUN])
    def test_what_was_not_done_cannot_be_undone(self, merges, state):
        merges.record([merge(2, state=state)])
        assert not merges.begin_undo(merge(2), MONDAY_NOON)
        assert merges.apart_of([2]) == {2: set()}

    def test_a_lead_knows_what_it_holds_until_it_is_undone(self, merges):
        merges.begin([merge(2), merge(3), merge(4, survivor_id=9)], per_day=50)
        merges.finish([merge(2)])
        assert sorted(ids(merges.into(1))) == [2, 3]
        merges.begin_undo(merge(2), MONDAY_NOON)
        assert ids(merges.into(1)) == [3]


def test_no_text_of_a_client_is_in_any_row(merges, table):
    """Ids, names of tags and our own words only."""
    merges.begin([merge(2)], per_day=50)
    (row,) = table.query("LEAD#2", "MERGE#")
    texts = [value for value in row.values() if isinstance(value, str)]
    assert sorted(texts) == sorted(
        ["LEAD#2", "MERGE#2#1", "merge", "email", *[MONDAY_NOON.isoformat()] * 2, DAY, "pending", ""]
    )
    assert row["added"]["tags"] == ["vip"]
