"""Merging and undoing from end to end: amoCRM in memory, the journal's real store."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.shared.crm import LOST, WON, FieldValue, Lead
from functions.shared.department import MergeMode
from functions.shared.errors import AmbiguousWrite, AmoCrmUnavailable
from functions.shared.identity import Likeness
from functions.shared.merge import State
from tests.merge_support import ANNA, BASE_URL, DINA, Office, answer, place, text_field, told
from tests.routing_support import BORIS, EGOR

CALL = {"uniq": "8f52", "duration": 60, "source": "pbx", "phone": "+79990000001", "link": "https://rec.example/1"}


@pytest.fixture
def office(table) -> Office:
    return Office(table)


class TestOnePair:
    def test_the_survivor_has_everything_and_the_duplicate_is_closed(self, office):
        """GIVEN a duplicate with all that a card can hold WHEN it is merged THEN nothing of it is missing."""
        amocrm = office.amocrm
        client, wife = amocrm.add_contact(name="Иван"), amocrm.add_contact(name="Ольга")
        survivor = office.lead(contacts=[client.id], tags=["vip"], owner=DINA)
        duplicate = office.duplicate(
            contacts=[client.id, wife.id],
            tags=["сайт", "vip"],
            fields=[text_field(50, "3 окна")],
            price=7000,
            company=amocrm.add_company(),
            name="Заявка с сайта",
        )
        amocrm.add_note(duplicate.id, "Хочет скидку", by=ANNA)
        amocrm.add_note(duplicate.id, "", "call_in", CALL)
        task = office.task(duplicate)
        office.done_task(duplicate, "Отправить смету", "Отправлено")

        result = office.merge((duplicate, survivor))

        assert result.merged == {duplicate.id: survivor.id}
        now = office.see(survivor)
        assert now.contacts == (client.id, wife.id)
        assert now.tags == ("vip", "сайт")
        assert now.filled(50) == text_field(50, "3 окна")
        assert (now.price, now.company) == (7000, duplicate.company)
        assert (now.pipeline_id, now.status_id, now.responsible_user_id) == (*office.department.ids(CONTACT), DINA)
        texts = office.texts(survivor)
        for part in ("Анна: Хочет скидку", "https://rec.example/1", "Отправить смету → Отправлено", "Заявка с сайта"):
            assert part in texts
        assert f"{BASE_URL}/leads/detail/{duplicate.id}" in texts
        (open_task,) = [each for each in amocrm.tasks_of(survivor.id) if not each.is_completed]
        assert (open_task.id, open_task.responsible_user_id) == (task.id, DINA)
        assert office.is_closed_as_duplicate(duplicate)
        assert f"{BASE_URL}/leads/detail/{survivor.id}" in office.texts(duplicate)
        assert office.entry(duplicate).state is State.DONE

    def test_a_call_that_stands_on_both_cards_is_there_once(self, office):
        survivor, duplicate = office.lead(), office.duplicate()
        for lead in (survivor, duplicate):
            office.amocrm.add_note(lead.id, "", "call_in", CALL)
        office.merge((duplicate, survivor))
        assert [note.kind for note in office.notes(survivor)] == ["call_in", "common"]

    def test_a_bare_lead_is_merged_with_a_note_on_both_and_nothing_else(self, office):
        survivor, duplicate = office.lead(), office.duplicate()
        office.merge((duplicate, survivor))
        assert len(told(office.notes(survivor))) == len(told(office.notes(duplicate))) == 1
        assert office.see(survivor).updated_at == survivor.updated_at

    def test_a_contact_without_a_phone_goes_over_like_any_other(self, office):
        nameless = office.amocrm.add_contact()
        survivor, duplicate = office.lead(), office.duplicate(contacts=[nameless.id])
        office.merge((duplicate, survivor))
        assert office.see(survivor).contacts == (nameless.id,)

    def test_a_task_of_a_moment_ago_is_not_overlooked_though_lists_lag(self, office):
        """distribute sets the first-answer task a second before the router learns of the lead."""
        office.amocrm.list_lag = timedelta(seconds=5)
        survivor = office.lead()
        duplicate = office.duplicate("exchange.new", created_at=office.clock.now())
        order = office.order(duplicate, survivor)
        task = office.task(duplicate)
        office.merge_orders([order])
        assert office.amocrm.tasks_of(survivor.id)[0].id == task.id

    def test_the_journal_knows_ids_and_tags_only(self, office):
        client = office.amocrm.add_contact(name="Иван Петров", phones=["+79991234567"], emails=["ivan@mail.example"])
        survivor = office.lead()
        duplicate = office.duplicate(contacts=[client.id], name="Имя", fields=[text_field(50, "Значение")])
        office.amocrm.add_note(duplicate.id, "Примечание")
        office.task(duplicate, text="Задача")
        office.merge((duplicate, survivor))
        keys = [(f"LEAD#{duplicate.id}", "MERGE#"), (f"LEAD#{survivor.id}", "KIN"), ("MERGES", "DAY#")]
        rows = repr([row for pk, sk in keys for row in office.table.query(pk, sk)]) + repr(office.telemetry.lines)
        assert rows.count("'entity'") == 3
        for secret in ("Иван", "9991234567", "ivan@", "Имя", "Значение", "Примечание", "Задача"):
            assert secret not in rows

    def test_the_same_order_again_changes_nothing(self, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["сайт"])
        office.amocrm.add_note(duplicate.id, "Привет")
        order = office.order(duplicate, survivor)
        office.merge_orders([order])
        before = office.texts(survivor), office.texts(duplicate), office.see(survivor)
        assert office.merge_orders([order]).merged == {duplicate.id: survivor.id}
        assert (office.texts(survivor), office.texts(duplicate), office.see(survivor)) == before


CONTACT = place("main.contact")


class TestWhatAmoCrmRefuses:
    def test_a_missing_loss_reason_is_told_and_the_lead_is_closed_without_it(self, office):
        reasons = {key: number for key, number in office.department.loss_reasons.items() if key != "duplicate"}
        office.department = replace(office.department, loss_reasons=reasons)
        survivor, duplicate = office.lead(), office.duplicate()
        assert office.merge((duplicate, survivor)).merged
        assert (office.see(duplicate).status_id, office.see(duplicate).loss_reason_id) == (LOST, None)
        assert "Причину отказа «Дубль» записать не удалось" in office.texts(duplicate)

    def test_a_loss_reason_that_was_deleted_in_amocrm_likewise(self, office):
        office.amocrm.loss_reasons = set()
        survivor, duplicate, other = office.lead(), office.duplicate(), office.duplicate()
        assert len(office.merge((duplicate, survivor), (other, survivor)).merged) == 2
        assert office.see(duplicate).status_id == office.see(other).status_id == LOST
        assert "Причину отказа «Дубль» записать не удалось" in office.texts(duplicate)
        assert len(office.notes(duplicate)) == 1

    def test_a_field_that_cannot_be_written_is_told_and_the_others_go_over(self, office):
        amocrm = office.amocrm
        fields = [amocrm.add_field(f"Поле {number}", is_writable=number != 2) for number in range(5)]
        survivor = office.lead()
        duplicate = office.duplicate(
            fields=[text_field(each, f"значение {at}", f"Поле {at}") for at, each in enumerate(fields)],
            tags=["сайт"],
            price=5,
        )
        assert office.merge((duplicate, survivor)).merged
        now = office.see(survivor)
        assert [at for at, each in enumerate(fields) if now.filled(each)] == [0, 1, 3, 4]
        assert (now.tags, now.price) == (("сайт",), 5)
        assert "– Поле 2: значение 2" in office.texts(survivor)

    def test_a_note_that_amocrm_does_not_take_goes_over_as_a_text(self, office, monkeypatch):
        survivor, duplicate = office.lead(), office.duplicate()
        office.amocrm.add_note(duplicate.id, "Раньше")
        office.amocrm.add_note(duplicate.id, "", "call_in", CALL)
        monkeypatch.setattr("tests.fakes_amocrm.TYPES", {"common"})
        assert office.merge((duplicate, survivor)).merged
        texts = [note.text for note in office.notes(survivor)]
        assert sum("https://rec.example/1" in text for text in texts) == 1
        assert sum("Раньше" in text for text in texts) == 1
        assert len(told(office.notes(survivor))) == 1

    def test_notes_that_lists_do_not_show_yet_are_not_written_twice(self, office, monkeypatch):
        survivor, duplicate = office.lead(), office.duplicate()
        office.amocrm.add_note(duplicate.id, "Раньше")
        office.amocrm.add_note(duplicate.id, "", "call_in", CALL)
        office.amocrm.list_lag = timedelta(seconds=5)
        office.clock.advance(60)
        monkeypatch.setattr("tests.fakes_amocrm.TYPES", {"common"})
        office.merge((duplicate, survivor))
        assert sum("Раньше" in note.text for note in office.notes(survivor)) == 1

    def test_a_contact_that_was_deleted_meanwhile_is_told(self, office):
        gone, stays = office.amocrm.add_contact(), office.amocrm.add_contact()
        survivor, duplicate = office.lead(), office.duplicate(contacts=[gone.id, stays.id])
        order = office.order(duplicate, survivor)
        office.amocrm._contacts[gone.id].append((office.clock.now(), None))
        assert office.merge_orders([order]).merged
        assert office.see(survivor).contacts == (stays.id,)
        assert f"контакт #{gone.id}" in office.texts(survivor)

    def test_a_task_stays_with_its_person_where_the_owner_was_switched_off(self, office):
        survivor, duplicate = office.lead(owner=EGOR), office.duplicate()
        task = office.task(duplicate)
        office.amocrm.switch_off_user(EGOR)
        assert office.merge((duplicate, survivor)).merged
        assert office.amocrm.tasks_of(survivor.id) == [replace(task, lead_id=survivor.id)]

    def test_a_duplicate_that_cannot_be_closed_stays_a_lead_of_its_own_with_all_it_had(self, office):
        """One in «Неразобранное» can only be accepted."""
        survivor = office.lead()
        unsorted = office.department.pipeline_of("exchange").unsorted_status_id
        client = office.amocrm.add_contact()
        duplicate = office.duplicate(tags=["сайт"], contacts=[client.id])
        office.amocrm.human_moves(duplicate.id, unsorted)
        task = office.task(duplicate)
        result = office.merge((duplicate, survivor))
        assert "amoCRM не принимает изменения" in result.refused[duplicate.id]
        assert office.amocrm.tasks_of(duplicate.id) == [task]
        assert (office.see(survivor).tags, office.see(survivor).contacts) == ((), ())
        assert office.entry(duplicate).state is State.REFUSED


class TestPeopleWin:
    @pytest.mark.parametrize("status", [WON, LOST])
    def test_a_survivor_that_was_closed_meanwhile_takes_nothing_in(self, office, status):
        survivor, duplicate = office.lead(), office.duplicate(tags=["сайт"])
        order = office.order(duplicate, survivor)
        office.amocrm.human_moves(survivor.id, status)
        assert office.merge_orders([order]).refused == {duplicate.id: "вторая сделка уже закрыта"}
        assert office.see(survivor).tags == ()
        assert not office.see(duplicate).is_closed
        assert office.merges.of_lead(duplicate.id) == []

    @pytest.mark.parametrize(
        ("happens", "reason"),
        [
            (lambda amocrm, survivor, duplicate: amocrm.delete_lead(survivor), "второй сделки больше нет"),
            (lambda amocrm, survivor, duplicate: amocrm.delete_lead(duplicate), "сделку удалили"),
            (lambda amocrm, survivor, duplicate: amocrm.human_moves(duplicate, WON), "сделку уже закрыли"),
            (lambda amocrm, survivor, duplicate: amocrm.human_moves(duplicate, LOST), "сделку уже закрыли"),
            (
                lambda amocrm, survivor, duplicate: amocrm.human_moves(duplicate, 1002),
                "сделку тем временем перевели на другой этап",
            ),
        ],
    )
    def test_whatever_a_person_did_meanwhile_stands(self, office, happens, reason):
        survivor, duplicate = office.lead(), office.duplicate()
        order = office.order(duplicate, survivor)
        happens(office.amocrm, survivor.id, duplicate.id)
        seen = office.see(duplicate)
        assert office.merge_orders([order]).refused == {duplicate.id: reason}
        assert office.see(duplicate) == seen
        assert office.notes(survivor) == []

    @pytest.mark.parametrize("on", ["change_leads", "add_notes", "change_tasks"])
    def test_a_survivor_closed_in_the_middle_gives_back_what_it_had_got(self, office, on):
        """GIVEN a run that died half-way WHEN the survivor is closed before the next THEN nobody's task is lost."""
        client = office.amocrm.add_contact()
        survivor, duplicate = office.lead(), office.duplicate(tags=["сайт"], contacts=[client.id], price=5)
        task = office.task(duplicate)
        order = office.order(duplicate, survivor)
        office.amocrm.fail_next(AmbiguousWrite("no answer"), on=on, done=True)
        with pytest.raises(AmbiguousWrite):
            office.merge_orders([order])
        office.amocrm.human_moves(survivor.id, LOST)
        assert office.merge_orders([order]).refused == {duplicate.id: "вторая сделка уже закрыта"}
        assert office.amocrm.tasks_of(duplicate.id) == [task]
        now = office.see(survivor)
        assert (now.tags, now.contacts, now.price) == ((), (), 0)
        assert office.entry(duplicate).state is State.REFUSED
        assert office.merges.apart_of([duplicate.id]) == {duplicate.id: set()}

    def test_a_merge_that_was_given_up_for_another_survivor_is_taken_back_first(self, office):
        first, second, duplicate = office.lead(), office.lead(), office.duplicate(tags=["сайт"])
        task = office.task(duplicate)
        office.amocrm.fail_next(AmbiguousWrite("no answer"), on="change_tasks", done=True)
        with pytest.raises(AmbiguousWrite):
            office.merge((duplicate, first))
        assert office.merge((duplicate, second)).merged == {duplicate.id: second.id}
        assert office.see(first).tags == ()
        assert [each.id for each in office.amocrm.tasks_of(second.id)] == [task.id]
        assert office.see(second).tags == ("сайт",)

    def test_what_a_person_adds_while_a_merge_is_interrupted_goes_over_too(self, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["сайт"])
        order = office.order(duplicate, survivor)
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        with pytest.raises(AmoCrmUnavailable):
            office.merge_orders([order])
        office.amocrm.human_tags(duplicate.id, "срочно")
        office.amocrm.add_note(duplicate.id, "Перезвонит сам")
        task = office.task(duplicate)
        office.merge_orders([office.order(duplicate, survivor)])
        assert office.see(survivor).tags == ("сайт", "срочно")
        assert "Перезвонит сам" in office.texts(survivor)
        assert office.entry(duplicate).added.tags == ("сайт", "срочно")
        assert office.entry(duplicate).added.tasks == {task.id: ANNA}

    def test_a_lead_that_a_person_closes_while_a_merge_is_interrupted_keeps_his_reason(self, office):
        survivor, duplicate = office.lead(), office.duplicate()
        order = office.order(duplicate, survivor)
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        with pytest.raises(AmoCrmUnavailable):
            office.merge_orders([order])
        spam = office.department.loss_reasons["spam"]
        office.amocrm.human_moves(duplicate.id, LOST, loss_reason_id=spam)
        assert office.merge_orders([order]).merged
        assert office.see(duplicate).loss_reason_id == spam

    def test_a_lead_that_a_person_moves_on_while_a_merge_is_interrupted_comes_back_to_there(self, office):
        survivor, duplicate = office.lead(), office.duplicate("exchange.new")
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        with pytest.raises(AmoCrmUnavailable):
            office.merge((duplicate, survivor))
        pipeline_id, status_id = office.department.ids(place("exchange.qualifying"))
        office.amocrm.human_moves(duplicate.id, status_id, pipeline_id)
        office.merge((duplicate, survivor))
        office.undo(duplicate)
        assert office.amocrm.place(duplicate.id) == (pipeline_id, status_id)

    def test_a_merge_that_a_person_has_undone_is_not_done_again(self, office):
        survivor, duplicate = office.lead(), office.duplicate()
        order = office.order(duplicate, survivor)
        office.merge_orders([order])
        office.undo(duplicate)
        assert office.merge_orders([order]).refused == {duplicate.id: "это объединение отменил человек"}
        assert not office.see(duplicate).is_closed


class TestManyAtOnce:
    def test_fifty_duplicates_of_one_client_in_few_requests(self, office):
        client = office.amocrm.add_contact()
        survivor = office.lead(contacts=[client.id])
        crowd = [office.duplicate(contacts=[client.id], tags=[f"т{number % 7}"]) for number in range(50)]
        for number, each in enumerate(crowd):
            office.amocrm.add_note(each.id, f"Примечание {number}")
            office.task(each, text=f"Задача {number}")
        office.amocrm.calls.clear()
        result = office.merge(*((each, survivor) for each in crowd))
        assert result.merged == {each.id: survivor.id for each in crowd}
        assert dict(office.amocrm.calls) == {
            "lead": 1,
            "leads": 1,
            "notes_since": 2,
            "tasks_since": 1,
            "change_leads": 2,
            "add_notes": 2,  # a hundred notes are two requests, so there are eleven in all
            "change_tasks": 1,
        }
        texts = office.texts(survivor)
        assert all(f"Примечание {number}'" in texts for number in range(50))
        assert len(office.amocrm.tasks_of(survivor.id)) == 50
        assert office.see(survivor).tags == tuple(f"т{number}" for number in range(7))
        assert len(told(office.notes(survivor))) == 50
        assert all(office.is_closed_as_duplicate(each) for each in crowd)

    def test_the_ceiling_holds_over_runs_and_the_next_day_has_room_again(self, office):
        office.rule(per_day=3)
        survivor = office.lead()
        first = [office.duplicate(tags=["а"]) for _ in range(2)]
        second = [office.duplicate(tags=["б"]) for _ in range(3)]
        assert len(office.merge(*((each, survivor) for each in first)).merged) == 2
        result = office.merge(*((each, survivor) for each in second))
        assert list(result.merged) == [second[0].id]
        assert result.over_ceiling == {second[1].id, second[2].id}
        assert not office.see(second[1]).is_closed
        assert office.merges.of_lead(second[1].id) == []
        office.clock.advance(24 * 3600)
        assert len(office.merge((second[1], survivor), (second[2], survivor)).merged) == 2

    def test_a_worker_that_uses_the_room_up_between_two_steps_leaves_the_rest_alone(self, office, monkeypatch):
        office.rule(per_day=1)
        survivor = office.lead()
        crowd = [office.duplicate(tags=[tag]) for tag in "аб"]
        monkeypatch.setattr(office.merges, "room", lambda day, per_day: 50)
        result = office.merge(*((each, survivor) for each in crowd))
        assert (list(result.merged), result.over_ceiling) == ([crowd[0].id], {crowd[1].id})
        assert office.see(survivor).tags == ("а",)
        assert not office.see(crowd[1]).is_closed

    def test_the_day_is_the_departments(self, office):
        """22:30 in UTC is tomorrow in Moscow."""
        office.rule(per_day=1)
        office.clock.moment = office.clock.moment.replace(hour=20, minute=30)
        survivor, one, other = office.lead(), office.duplicate(), office.duplicate()
        assert office.merge((one, survivor)).merged
        office.clock.advance(3600)
        assert office.merge((other, survivor)).merged

    def test_what_was_begun_is_completed_although_the_day_is_full(self, office):
        office.rule(per_day=1)
        survivor, duplicate = office.lead(), office.duplicate()
        order = office.order(duplicate, survivor)
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        with pytest.raises(AmoCrmUnavailable):
            office.merge_orders([order])
        assert office.merge_orders([order]).merged

    def test_a_lead_that_takes_in_and_is_merged_itself_hands_everything_on(self, office):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(tags=["б"]), office.lead()
        office.amocrm.add_note(first.id, "Самое первое")
        result = office.merge((middle, last), (first, middle))
        assert result.merged == {first.id: middle.id, middle.id: last.id}
        assert office.see(last).tags == ("б", "а")
        assert "Самое первое" in office.texts(last)

    def test_a_circle_is_refused(self, office):
        one, other = office.lead(), office.lead()
        result = office.merge((one, other), (other, one))
        assert set(result.refused) == {one.id, other.id}
        assert office.amocrm.notes == []

    def test_a_bad_pair_does_not_hold_up_its_neighbours(self, office):
        good, bad = office.lead(), office.lead()
        one, two, three = office.duplicate(), office.duplicate(), office.duplicate()
        orders = [office.order(one, good), office.order(two, bad), office.order(three, good)]
        office.amocrm.delete_lead(bad.id)
        result = office.merge_orders(orders)
        assert set(result.merged) == {one.id, three.id}
        assert set(result.refused) == {two.id}


class TestDryRun:
    def test_it_writes_into_the_journal_only(self, office):
        office.rule(MergeMode.DRY_RUN, per_day=0)
        survivor, duplicate = office.lead(), office.duplicate(tags=["сайт"])
        order = office.order(duplicate, survivor)
        seen = office.see(survivor), office.see(duplicate)
        for _ in range(2):
            assert office.merge_orders([order]).dry_run == {duplicate.id}
        assert (office.see(survivor), office.see(duplicate)) == seen
        assert office.amocrm.notes == []
        (entry,) = office.merges.of_days(["2026-11-23"])
        assert (entry.state, entry.added.tags) == (State.DRY_RUN, ("сайт",))

    @pytest.mark.parametrize("what", ["survivor_closed", "circle"])
    def test_what_would_not_have_worked_is_nobodys_task(self, office, what):
        office.rule(MergeMode.DRY_RUN)
        survivor, duplicate = office.lead(), office.duplicate()
        orders = [office.order(duplicate, survivor)]
        orders += [office.order(survivor, duplicate)] if what == "circle" else []
        if what == "survivor_closed":
            office.amocrm._change(survivor.id, status_id=LOST)
        result = office.merge_orders(orders)
        assert (result.refused, result.dry_run) == ({}, {order.duplicate.id for order in orders})

    def test_the_same_order_is_carried_out_once_it_is_over(self, office):
        office.rule(MergeMode.DRY_RUN)
        survivor, duplicate = office.lead(), office.duplicate()
        office.merge((duplicate, survivor))
        office.rule(MergeMode.AUTO)
        assert office.merge((duplicate, survivor)).merged

    def test_what_was_begun_before_it_is_completed(self, office):
        survivor, duplicate, other = office.lead(), office.duplicate(tags=["а"]), office.duplicate(tags=["б"])
        order = office.order(duplicate, survivor)
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        with pytest.raises(AmoCrmUnavailable):
            office.merge_orders([order])
        office.rule(MergeMode.DRY_RUN)
        result = office.merge_orders([order, office.order(other, survivor)])
        assert (result.merged, result.dry_run) == ({duplicate.id: survivor.id}, {other.id})
        assert office.see(survivor).tags == ("а",)


class TestUndo:
    def test_both_leads_are_as_they_were_but_for_notes(self, office):
        client, wife = office.amocrm.add_contact(), office.amocrm.add_contact()
        survivor = office.lead(contacts=[client.id], tags=["vip"])
        duplicate = office.duplicate(
            "exchange.qualifying",
            contacts=[client.id, wife.id],
            tags=["сайт"],
            fields=[text_field(50, "3 окна")],
            price=7000,
            company=office.amocrm.add_company(),
        )
        task = office.task(duplicate)
        before = essence(office.see(survivor)), essence(office.see(duplicate))
        office.merge((duplicate, survivor))
        assert office.undo(duplicate).left == []
        assert (essence(office.see(survivor)), essence(office.see(duplicate))) == before
        assert office.amocrm.tasks_of(duplicate.id) == [task]
        assert office.entry(duplicate).state is State.UNDONE
        assert office.merges.apart_of([duplicate.id, survivor.id]) == {
            duplicate.id: {survivor.id},
            survivor.id: {duplicate.id},
        }
        for lead in (survivor, duplicate):
            assert told(office.notes(lead))[-1].endswith("от 23.11.2026 12:00 отменено")

    def test_a_lead_that_came_from_the_stage_of_duplicates_begins_its_pipeline_anew(self, office):
        """Where it stood it would be merged again at once."""
        survivor, duplicate = office.lead(), office.duplicate("exchange.in_conversation")
        office.merge((duplicate, survivor))
        office.undo(duplicate)
        assert office.department.place(*office.amocrm.place(duplicate.id)) == place("exchange.new")

    def test_the_answer_that_asked_for_the_merge_is_taken_off(self, office):
        said = answer(office.department, "in_conversation")
        survivor, duplicate = office.lead(), office.duplicate("exchange.qualifying", fields=[said])
        office.merge((duplicate, survivor))
        office.undo(duplicate)
        assert office.department.place(*office.amocrm.place(duplicate.id)) == place("exchange.qualifying")
        assert office.see(duplicate).filled(office.department.answer_field) is None

    def test_what_somebody_has_changed_since_stays_and_is_said(self, office):
        survivor = office.lead()
        duplicate = office.duplicate(fields=[text_field(50, "3 окна"), text_field(51, "дом")], price=7000, tags=["а"])
        done, moved = office.task(duplicate), office.task(duplicate)
        office.merge((duplicate, survivor))
        office.amocrm.human_sets_field(survivor.id, 50, "5 окон")
        office.amocrm.human_sets_price(survivor.id, 9000)
        office.amocrm.human_completes(done.id)
        left = office.undo(duplicate).left
        assert left == [
            f"task {done.id} is completed and stays",
            "field 50 keeps its value: it has been changed since",
            "the price stays: it has been changed since",
        ]
        now = office.see(survivor)
        assert (now.filled(50).values[0]["value"], now.filled(51), now.price) == ("5 окон", None, 9000)
        assert [task.id for task in office.amocrm.tasks_of(duplicate.id)] == [moved.id]

    def test_a_lead_that_a_person_took_up_again_stays_where_he_put_it(self, office):
        survivor, duplicate = office.lead(), office.duplicate()
        office.merge((duplicate, survivor))
        office.amocrm.human_moves(duplicate.id, *reversed(office.department.ids(place("main.offer"))))
        assert "not closed as a duplicate any more" in office.undo(duplicate).left[0]
        assert office.department.place(*office.amocrm.place(duplicate.id)) == place("main.offer")

    def test_the_owner_comes_back_unless_he_was_switched_off(self, office):
        survivor, one, other = office.lead(), office.duplicate(owner=ANNA), office.duplicate(owner=BORIS)
        office.merge((one, survivor), (other, survivor))
        for each in (one, other):
            office.amocrm.human_reassigns(each.id, DINA)
        office.amocrm.switch_off_user(BORIS)
        assert office.undo(one).left == []
        assert office.undo(other).left == [f"lead {other.id} keeps its owner: amoCRM refuses the former one"]
        assert (office.amocrm.owner(one.id), office.amocrm.owner(other.id)) == (ANNA, DINA)

    def test_a_stage_that_was_deleted_is_replaced_by_the_entry(self, office):
        survivor, duplicate = office.lead(), office.duplicate("exchange.qualifying")
        office.merge((duplicate, survivor))
        office.amocrm.stages.discard(office.department.ids(place("exchange.qualifying")))
        assert office.undo(duplicate).left == []
        assert office.department.place(*office.amocrm.place(duplicate.id)) == place("exchange.new")

    @pytest.mark.parametrize("gone", ["survivor", "duplicate"])
    def test_a_deleted_lead_is_said_and_the_rest_is_done(self, office, gone):
        survivor, duplicate = office.lead(), office.duplicate(tags=["а"])
        task = office.task(duplicate)
        office.merge((duplicate, survivor))
        office.amocrm.delete_lead({"survivor": survivor.id, "duplicate": duplicate.id}[gone])
        assert any("is deleted" in line for line in office.undo(duplicate).left)
        assert office.see(duplicate).is_closed is (gone == "duplicate")
        holder = survivor if gone == "duplicate" else duplicate
        assert [each.id for each in office.amocrm.tasks_of(holder.id)] == [task.id]

    def test_what_was_brought_goes_although_the_duplicate_has_lost_it_since(self, office):
        client = office.amocrm.add_contact()
        survivor, duplicate = office.lead(), office.duplicate(tags=["а"], contacts=[client.id])
        office.merge((duplicate, survivor))
        office.amocrm._change(duplicate.id, tags=())
        office.amocrm.human_unlinks(duplicate.id, client.id)
        office.undo(duplicate)
        assert (office.see(survivor).tags, office.see(survivor).contacts) == ((), ())

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_what_two_duplicates_brought_goes_with_the_last_of_them(self, office, order):
        client = office.amocrm.add_contact()
        same: dict[str, Any] = {"tags": ["а"], "contacts": [client.id], "price": 5, "fields": [text_field(50, "да")]}
        survivor = office.lead()
        pair = [office.duplicate(**same), office.duplicate(**same)]
        before = essence(office.see(survivor))
        office.merge(*((each, survivor) for each in pair))
        full = essence(office.see(survivor))
        office.undo(pair[order[0]])
        assert essence(office.see(survivor)) == full
        office.undo(pair[order[1]])
        assert essence(office.see(survivor)) == before

    def test_a_merge_into_a_lead_that_was_merged_on_is_undone_after_that(self, office):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(), office.lead()
        office.merge((first, middle))
        office.merge((middle, last))
        assert "undo that first" in office.undo(first).refused
        assert office.see(first).is_closed
        for each in (middle, first):
            assert office.undo(each).refused == ""
        assert office.see(last).tags == office.see(middle).tags == ()
        assert not office.see(first).is_closed

    def test_a_merge_into_a_lead_that_is_being_merged_on_waits_for_that_one(self, office):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(), office.lead()
        office.merge((first, middle))
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="add_notes")
        with pytest.raises(AmoCrmUnavailable):
            office.merge((middle, last))
        assert office.entry(middle).state is State.PENDING
        office.clock.advance(600)
        assert "undo that first" in office.undo(first).refused
        for each in (middle, first):
            assert office.undo(each).refused == ""
        assert office.see(last).tags == office.see(middle).tags == ()

    def test_a_merge_into_a_lead_whose_own_undoing_was_interrupted_waits_for_that_one(self, office):
        first, middle, last = office.duplicate(tags=["а"]), office.duplicate(), office.lead()
        office.merge((first, middle))
        office.merge((middle, last))
        office.amocrm.fail_next(AmoCrmUnavailable("down"), on="change_leads")
        with pytest.raises(AmoCrmUnavailable):
            office.undo(middle)
        assert office.entry(middle).state is State.UNDOING
        assert "undo that first" in office.undo(first).refused

    def test_an_earlier_merge_of_the_pair_that_still_stands_is_named(self, office):
        survivor, duplicate = office.lead(), office.duplicate(tags=["а"])
        office.merge((duplicate, survivor))
        office.amocrm.human_moves(duplicate.id, *reversed(office.department.ids(place("exchange.qualifying"))))
        office.clock.advance(3600)
        office.merge((duplicate, survivor), hop=2)
        [line] = office.undo(duplicate).left
        assert "2026-11-23" in line and "still stands" in line
        earlier = office.merges.of_lead(duplicate.id)[1]
        assert "still stands" not in "".join(office.undoing.undo(earlier, office.department).left)
        assert office.see(survivor).tags == ()

    def test_a_merge_under_way_is_left_to_its_worker_first(self, office):
        survivor, duplicate = office.lead(), office.duplicate()
        task = office.task(duplicate)
        office.amocrm.fail_next(AmbiguousWrite("no answer"), on="change_tasks", done=True)
        with pytest.raises(AmbiguousWrite):
            office.merge((duplicate, survivor))
        assert "right now" in office.undo(duplicate).refused
        office.clock.advance(180)
        assert office.undo(duplicate).refused == ""
        assert office.amocrm.tasks_of(duplicate.id) == [task]

    def test_it_cannot_be_undone_twice(self, office):
        survivor, duplicate = office.lead(), office.duplicate()
        office.merge((duplicate, survivor))
        office.undo(duplicate)
        assert "nothing to undo" in office.undo(duplicate).refused

    def test_a_person_may_merge_the_pair_again_later_and_no_note_is_copied_twice(self, office):
        survivor, duplicate = office.lead(), office.duplicate()
        office.amocrm.add_note(duplicate.id, "Хочет скидку")
        office.merge((duplicate, survivor))
        office.undo(duplicate)
        office.clock.advance(3600)
        office.merge((duplicate, survivor), hop=2)
        assert sum("Хочет скидку" in note.text for note in office.notes(survivor)) == 1
        assert office.is_closed_as_duplicate(duplicate)


# -- a hundred pairs ---------------------------------------------------------------------------------------------------

NOTES: list[tuple[str, dict[str, Any]]] = [
    ("common", {"text": "Хочет скидку"}),
    ("common", {"text": "Два\nабзаца"}),
    ("call_in", CALL),
    ("call_out", {"duration": 5, "phone": "+79990000002"}),
    ("sms_in", {"text": "Сколько стоит?", "phone": "+79990000003"}),
    ("attachment", {"file_uuid": "f1", "version_uuid": "v1", "file_name": "Смета.pdf"}),
    ("geolocation", {"text": "Дом", "address": "Охотный ряд, 1", "longitude": "53.7", "latitude": "91.4"}),
    ("service_message", {"service": "Квиз", "text": "Ответы: 3 окна"}),
    ("amomail_message", {"subject": "Окна", "from": {"email": "ivan@mail.example"}}),
    ("chat", {"text": "Здравствуйте"}),
]
OWN_NOTES = [(kind, params) for kind, params in NOTES if kind not in ("call_in", "attachment")]
"""Without those that are the same thing on whatever card they stand."""

COLOURS = {61: "белый", 62: "серый", 63: "чёрный"}


def fill_at_random(office: Office, dice: random.Random, contacts: list[int], fields: list[int]) -> dict[str, Any]:
    values = [f"{dice.choice('абв')}{dice.randrange(3)}" for _ in fields[:3]]
    filled = [text_field(each, value) for each, value in zip(fields[:3], values, strict=True)]
    chosen = dice.sample(sorted(COLOURS), dice.randint(1, 3))
    colours = tuple({"value": COLOURS[number], "enum_id": number} for number in chosen)
    filled.append(FieldValue(fields[3], "Цвет", "multiselect", colours))
    return {
        "contacts": dice.sample(contacts, dice.randint(0, len(contacts))),
        "tags": dice.sample(["vip", "сайт", "срочно", "опт"], dice.randint(0, 4)),
        "fields": dice.sample(filled, dice.randint(0, len(filled))),
        "price": dice.choice([0, 0, 5_000, 7_000]),
        "company": dice.choice([0, office.amocrm.add_company()]),
        "name": dice.choice(["", "Окна на дачу"]),
    }


def make_pair(office: Office, dice: random.Random) -> tuple[Lead, Lead]:
    contacts = [office.amocrm.add_contact(name=name).id for name in ("Иван", "Ольга", "")]
    fields = [office.amocrm.add_field(f"Поле {number}", is_writable=dice.random() > 0.1) for number in range(3)]
    fields.append(office.amocrm.add_field("Цвет", "multiselect", enums=COLOURS))
    where = dice.choice(["exchange.in_conversation", "exchange.new", "exchange.qualifying"])
    survivor = office.lead(owner=dice.choice([DINA, EGOR]), **fill_at_random(office, dice, contacts, fields))
    duplicate = office.duplicate(where, **fill_at_random(office, dice, contacts, fields))
    for lead, possible in ((survivor, OWN_NOTES), *[(duplicate, NOTES)] * 3):
        for kind, params in dice.sample(possible, dice.randint(0, 3)):
            office.amocrm.add_note(lead.id, "", kind, params, by=dice.choice([0, ANNA]))
    for number in range(dice.randint(0, 3)):
        office.task(duplicate, owner=dice.choice([ANNA, DINA]), text=f"Открытая {number}")
    for number in range(dice.randint(0, 3)):
        office.done_task(duplicate, f"Сделанная {number}", dice.choice(["", f"Итог {number}"]))
    return duplicate, survivor


def essence(lead: Lead) -> tuple[Any, ...]:
    """Everything of a card that a merge touches, in an order that does not matter."""
    fields = sorted((each.field_id, repr(each.values)) for each in lead.fields)
    place_and_owner = lead.pipeline_id, lead.status_id, lead.responsible_user_id
    return *place_and_owner, frozenset(lead.contacts), frozenset(lead.tags), fields, lead.price, lead.company


@pytest.mark.parametrize("seed", range(100))
def test_nothing_of_a_duplicate_is_missing_and_undo_restores_it(table, seed):
    office, dice = Office(table), random.Random(seed)
    duplicate, survivor = make_pair(office, dice)
    before = essence(survivor), essence(duplicate)
    own, notes, tasks = office.notes(survivor), office.notes(duplicate), office.amocrm.tasks_of(duplicate.id)

    assert office.merge((duplicate, survivor)).merged == {duplicate.id: survivor.id}

    check_survivor(office, survivor, duplicate)
    texts = office.texts(survivor)
    headed = Counter(note.kind for note in office.notes(survivor)) - Counter(note.kind for note in own)
    assert sum(headed.values()) == len(notes) + 1, "every note once, and the summary"
    for note in notes:
        for value in note.params.values():
            assert str(value) in texts or repr(value) in texts or "ivan@mail.example" in texts
    for task in tasks:
        if task.is_completed:
            assert f"{task.text} → {task.result}" if task.result else task.text in texts
        else:
            owner = survivor.responsible_user_id
            assert replace(task, lead_id=survivor.id, responsible_user_id=owner) in office.amocrm.tasks_of(survivor.id)

    assert office.undo(duplicate).left == []

    stage = duplicate.status_id
    if stage == office.department.ids(place("exchange.in_conversation"))[1]:
        stage = office.department.pipeline_of("exchange").entry_status_id
    assert essence(office.see(survivor)) == before[0]
    assert essence(office.see(duplicate)) == essence(replace(duplicate, status_id=stage))
    assert sorted(office.amocrm.tasks_of(duplicate.id), key=lambda each: each.id) == tasks


def check_survivor(office: Office, survivor: Lead, duplicate: Lead) -> None:
    now, texts = office.see(survivor), office.texts(survivor)
    assert set(now.contacts) == {*survivor.contacts, *duplicate.contacts}
    assert set(now.tags) == {*survivor.tags, *duplicate.tags}
    assert all(now.filled(each.field_id) == each for each in survivor.fields), "nothing of its own is touched"
    for each in duplicate.fields:
        there = now.filled(each.field_id)
        values = list(there.values) if there else []
        for value in each.values:
            assert value in values or str(value["value"]) in texts
    assert duplicate.price in (0, now.price) or f"бюджет: {duplicate.price}" in texts
    assert duplicate.company in (0, now.company) or f"companies/detail/{duplicate.company}" in texts
    assert duplicate.name in texts
    assert office.is_closed_as_duplicate(duplicate)


def test_likeness_is_told_in_the_summary_and_kept_in_the_journal(office):
    survivor, duplicate = office.lead(), office.duplicate()
    office.merge_orders([office.order(duplicate, survivor, why=Likeness.PERSON)])
    assert "так решил менеджер" in office.texts(survivor)
    assert office.entry(duplicate).why is Likeness.PERSON
