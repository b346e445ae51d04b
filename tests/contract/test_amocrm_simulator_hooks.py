"""Webhooks of the simulator against captured bodies, and the courier against the table of attempts."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from functions.shared.hooks.events import read_hook
from infra.local.amocrm_simulator import php
from tests.contract.amocrm_account import DESTINATION, EVERYTHING, Account, phone_values

SAMPLES = Path(__file__).parents[1] / "hooks"


@pytest.fixture
def account() -> Account:
    account = Account()
    account.subscribe()
    return account


def keys_of(sample: str) -> list[str]:
    """Keys of a captured body, in order."""
    return [key for key, _ in parse_qsl((SAMPLES / f"{sample}.form").read_text(), keep_blank_values=True)]


def told(account: Account, kind: str) -> list[str]:
    found = [hook for hook in account.hooks if account.kind(hook) == kind]
    return [key for key, _ in found[-1]]


class TestBodiesLookLikeCapturedOnes:
    def test_a_sample_is_encoded_byte_for_byte_the_same(self) -> None:
        for path in sorted(SAMPLES.glob("[0-9]*.form")):
            body = path.read_bytes()
            pairs = parse_qsl(body.decode(), keep_blank_values=True)
            assert php.form(php.nested(pairs)) == body, path.name

    def test_lead_added(self, account: Account) -> None:
        account.admin.create_lead("TEST ALPHA")
        assert account.delivered() == ["leads[add]"]
        assert told(account, "leads[add]") == keys_of("01-leads-add")

    def test_lead_changed_by_a_robot(self, account: Account) -> None:
        field = account.api.post("/leads/custom_fields", json=[{"name": "test_id", "type": "text"}]).json()
        values = [{"field_id": field["_embedded"]["custom_fields"][0]["id"], "values": [{"value": "30052055"}]}]
        lead_id = account.lead(name="TEST")
        account.api.patch(f"/leads/{lead_id}", json={"custom_fields_values": values, "updated_by": 0})
        account.delivered()
        assert told(account, "leads[update]") == keys_of("02-leads-update-robot")
        assert account.hook("leads[update]")["modified_user_id"] == "0"

    def test_lead_moved_with_tags_and_a_date(self, account: Account) -> None:
        account.world.switch(account_block="last")
        bodies = [{"name": "Cind", "type": "date"}, {"name": "Tip", "type": "select", "enums": [{"value": "Lead nou"}]}]
        made = account.api.post("/leads/custom_fields", json=bodies).json()["_embedded"]["custom_fields"]
        values = [
            {"field_id": made[0]["id"], "values": [{"value": 1615845600}]},
            {"field_id": made[1]["id"], "values": [{"value": "Lead nou"}]},
        ]
        lead_id = account.lead(price=1, custom_fields_values=values, _embedded={"tags": [{"name": "Alfa"}]})
        account.api.patch(f"/leads/{lead_id}", json={"status_id": account.main.statuses[2].id})
        account.delivered()
        status = account.hook("leads[status]")
        assert status["old_status_id"] == str(account.main.entry.id)
        assert status["custom_fields][0][values][0"].isdigit()
        assert status["custom_fields][1][values][0][value"] == "Lead nou"
        heads = [key for key in keys_of("08-leads-status-tags-date") if "custom_fields" not in key]
        assert [key for key in told(account, "leads[status]") if "custom_fields" not in key] == heads
        assert set(account.headers[-1]) >= {"X-amoCRM-RequestId", "User-Agent"}

    def test_a_lead_waiting_in_unsorted_has_no_price_and_nobody(self, account: Account) -> None:
        account.world.switch(unsorted_lead_hooks=("update",))
        account.clients.writes("Здравствуйте")
        assert sorted(account.delivered()) == ["leads[update]", "unsorted[add]"]
        assert told(account, "leads[update]") == keys_of("12-leads-update-in-unsorted")
        assert account.hook("leads[update]")["responsible_user_id"] == "0"

    def test_a_stage_move_in_the_ui(self, account: Account) -> None:
        item = account.clients.writes("Здравствуйте")
        account.admin.accept(item.uid)
        account.admin.move(item.lead_id, account.main.statuses[2].id)
        account.delivered()
        assert told(account, "leads[update]") == keys_of("14-leads-update-stage-move")

    def test_an_unsorted_chat(self, account: Account) -> None:
        account.clients.writes("v", client="Anna")
        account.delivered()
        chat = set(keys_of("16-unsorted-add-chats"))
        assert chat - set(told(account, "unsorted[add]")) == {"unsorted[add][0][source_data][client][picture]"}
        assert set(told(account, "unsorted[add]")) <= chat

    def test_an_unsorted_form(self, account: Account) -> None:
        account.form()
        account.delivered()
        heads = {key for key in keys_of("32-unsorted-add-forms") if "[source_data]" not in key and "[data]" not in key}
        assert heads <= set(told(account, "unsorted[add]"))
        hook = account.hook("unsorted[add]")
        assert "data][leads][0][id" not in hook
        assert hook["data][leads][0][modified_user_id"] == "0"
        assert (hook["request_id"], hook["source_data][form_id"]) == ("0", "f1")

    def test_accepting_and_declining_both_arrive_as_delete(self, account: Account) -> None:
        accepted, declined = account.clients.mails("A"), account.clients.mails("B")
        account.admin.accept(accepted.uid)
        account.admin.decline(declined.uid)
        account.delivered()
        events = [read_hook(php.form(php.nested(hook)))[0] for hook in account.hooks]
        closed = {
            event.fields["action"]: event for event in events if (event.entity, event.action) == ("unsorted", "delete")
        }
        assert closed["accept"].fields["accept_result[leads][0]"] == str(accepted.lead_id)
        assert closed["decline"].fields["decline_result[leads][0]"] == str(declined.lead_id)
        expected = keys_of("34-unsorted-delete-accept-mail")
        assert [key for key in keys_with(account, "accept") if not key.startswith("account")] == expected

    def test_contacts(self, account: Account) -> None:
        contact_id = account.api.post("/contacts", json=[{"name": "Анна"}]).json()["_embedded"]["contacts"][0]["id"]
        assert account.delivered() == ["contacts[add]"]
        assert told(account, "contacts[add]") == keys_of("04-contacts-add")
        account.api.patch(f"/contacts/{contact_id}", json=phone_values("333"))
        account.delivered()
        hook = account.hook("contacts[update]")
        assert hook["old_responsible_user_id"] == hook["responsible_user_id"]
        assert hook["custom_fields][0][values][0][value"] == "333"
        heads = [key for key in keys_of("05-contacts-update-phone-email") if "custom_fields" not in key]
        assert [key for key in told(account, "contacts[update]") if "custom_fields" not in key] == heads

    def test_tasks(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        task = {"text": "Позвонить", "complete_till": 1759438740, "entity_id": account.lead(), "entity_type": "leads"}
        task_id = account.api.post("/tasks", json=[task]).json()["_embedded"]["tasks"][0]["id"]
        account.delivered()
        assert told(account, "task[add]")[3:] == keys_of("36-task-add")
        assert account.hook("task[add]")["complete_till"] == "2025-10-02 20:59:00"
        account.api.patch(f"/tasks/{task_id}", json={"responsible_user_id": anna.id})
        assert account.delivered() == ["task[update]"]
        assert told(account, "task[update]")[3:] == keys_of("39-task-update-responsible")
        assert account.hook("task[update]")["old_text"] == "Позвонить"

    def test_a_note_has_local_strings_and_stands_one_level_deeper(self, account: Account) -> None:
        lead_id = account.lead()
        account.delivered()
        account.admin.write_note(lead_id, "Перезвонить")
        assert account.delivered() == ["leads[note]"]
        hook = account.hook("leads[note]")
        assert (hook["note][text"], hook["note][element_type"], hook["note][attachement"]) == ("Перезвонить", "2", "")
        created = datetime.fromtimestamp(int(hook["note][created_at"]), account.clock.now().tzinfo)
        assert hook["note][date_create"] == f"{created + timedelta(hours=3):%Y-%m-%d %H:%M:%S}"


def keys_with(account: Account, action: str) -> list[str]:
    pairs = next(hook for hook in account.hooks if ("unsorted[delete][0][action]", action) in hook)
    return [key for key, _ in pairs]


class TestWhatFires:
    def moved(self, account: Account) -> None:
        lead_id = account.lead()
        account.delivered()
        account.api.patch(f"/leads/{lead_id}", json={"status_id": 142})

    def test_a_stage_move_is_two_posts_in_any_order(self, account: Account) -> None:
        orders = Counter()
        for _ in range(20):
            self.moved(account)
            orders[tuple(account.delivered())] += 1
        assert set(orders) == {("leads[status]", "leads[update]"), ("leads[update]", "leads[status]")}

    def test_or_by_switch_one_combined_body(self, account: Account) -> None:
        account.world.switch(combined_bodies=True)
        self.moved(account)
        assert account.delivered() == ["leads[status]+leads[update]"]

    def test_only_what_was_subscribed_arrives(self, account: Account) -> None:
        account.subscribe("status_lead")
        self.moved(account)
        assert account.delivered() == ["leads[status]"]

    def test_old_status_id_sticks_to_later_events(self, account: Account) -> None:
        lead_id = account.lead()
        account.admin.rename(lead_id, "A")
        account.delivered()
        assert "old_status_id" not in account.hook("leads[update]")
        account.admin.move(lead_id, 142)
        account.admin.rename(lead_id, "B")
        account.delivered()
        assert account.hook("leads[update]")["old_status_id"] == str(account.main.entry.id)
        account.world.switch(sticky_old_status=False)
        account.admin.rename(lead_id, "C")
        account.delivered()
        assert "old_status_id" not in account.hook("leads[update]")

    def test_a_new_owner_comes_as_responsible_and_update(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        lead_id = account.lead()
        account.delivered()
        account.api.patch("/leads", json=[{"id": lead_id, "responsible_user_id": anna.id}])
        assert sorted(account.delivered()) == ["leads[responsible]", "leads[update]"]
        assert account.hook("leads[responsible]")["old_responsible_user_id"] == str(account.world.admin.id)

    def test_own_writes_come_back_with_the_writer_or_zero_or_not_at_all(self, account: Account) -> None:
        lead_id = account.lead()
        for switch, author in (("writer", str(account.world.admin.id)), ("zero", "0")):
            account.world.switch(hook_author=switch)
            account.api.patch(f"/leads/{lead_id}", json={"price": 5})
            account.delivered()
            assert account.hook("leads[update]")["modified_user_id"] == author
        account.world.switch(hook_author="off")
        account.api.patch(f"/leads/{lead_id}", json={"price": 6})
        account.admin.rename(lead_id, "Руками")
        assert account.delivered() == ["leads[update]"]

    @pytest.mark.parametrize(
        ("hooks", "expected"),
        [
            (("status", "update"), ["leads[status]", "leads[update]", "unsorted[delete]"]),
            ((), ["unsorted[delete]"]),
            (("add", "responsible"), ["leads[add]", "leads[responsible]", "unsorted[delete]"]),
        ],
    )
    def test_what_comes_with_an_accept_is_a_switch(
        self, account: Account, hooks: tuple[str, ...], expected: list[str]
    ) -> None:
        account.world.switch(accept_lead_hooks=hooks)
        item = account.form()
        account.delivered()
        account.api.post(f"/leads/unsorted/{item['uid']}/accept")
        assert sorted(account.delivered()) == expected
        if "status" in hooks:
            assert account.hook("leads[status]")["old_status_id"] == str(account.unsorted_stage())

    def test_a_decline_may_bring_a_delete_of_the_lead(self, account: Account) -> None:
        for hooks, expected in (((), ["unsorted[delete]"]), (("delete",), ["leads[delete]", "unsorted[delete]"])):
            account.world.switch(decline_lead_hooks=hooks)
            item = account.form()
            account.delivered()
            account.admin.decline(item["uid"])
            assert sorted(account.delivered()) == expected

    def test_the_next_message_of_a_chat_updates_the_item(self, account: Account) -> None:
        item = account.clients.writes("Здравствуйте")
        account.delivered()
        account.clients.writes_again(item.uid, "Вы тут?")
        assert account.delivered() == ["unsorted[update]"]
        assert account.hook("unsorted[update]")["data][leads][0][id"] == str(item.lead_id)

    def test_the_account_block_may_be_absent_or_without_id(self, account: Account) -> None:
        for place, expected in (("absent", set()), ("without_id", {"account[subdomain]", "account[_links][self]"})):
            account.world.switch(account_block=place)
            account.lead()
            account.delivered()
            assert {key for key in told(account, "leads[add]") if key.startswith("account")} == expected

    def test_a_batch_is_one_post_per_lead_or_by_switch_one_body(self, account: Account) -> None:
        account.api.post("/leads", json=[{}, {}, {}])
        assert account.delivered() == ["leads[add]"] * 3
        account.world.switch(multi_entity_bodies=True)
        account.api.post("/leads", json=[{}, {}, {}])
        assert account.delivered() == ["leads[add]"]
        assert len(read_hook(php.form(php.nested(account.hooks[0])))) == 3

    def test_a_refused_batch_fires_nothing(self, account: Account) -> None:
        account.api.post("/leads", json=[{}, {"status_id": 1}])
        assert account.delivered() == []


class TestCourier:
    def attempts(self, account: Account, statuses: list[int]) -> list[float]:
        """Seconds after the first attempt at which one hook is tried, when answered with these statuses."""
        account.lead()
        answers, times, start = iter(statuses), [], account.clock.now()

        def answer() -> int:
            times.append((account.clock.now() - start).total_seconds())
            return next(answers)

        account.answer = answer
        while (due := account.courier.next_due()) is not None:
            account.clock.moment = max(due, account.clock.moment)
            account.courier.deliver_due()
        return times

    def test_headers(self, account: Account) -> None:
        account.lead()
        account.delivered()
        headers = account.headers[-1]
        assert headers["User-Agent"] == "amoCRM-Webhooks/3.0"
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert len(headers["X-amoCRM-RequestId"]) == 36

    @pytest.mark.parametrize("good", [100, 200, 299])
    def test_one_hundred_to_299_is_success(self, account: Account, good: int) -> None:
        assert self.attempts(account, [good]) == [0]

    @pytest.mark.parametrize("bad", [0, 99, 301, 404, 429])
    def test_refusals_and_silence_are_tried_three_times(self, account: Account, bad: int) -> None:
        assert self.attempts(account, [bad] * 3) == [0, 300, 1200]

    @pytest.mark.parametrize("bad", [499, 500, 503, 599])
    def test_server_errors_are_tried_five_times(self, account: Account, bad: int) -> None:
        assert self.attempts(account, [bad] * 5) == [0, 300, 1200, 2100, 5700]

    def test_a_success_ends_it(self, account: Account) -> None:
        assert self.attempts(account, [500, 404, 200]) == [0, 300, 1200]

    def test_an_answer_after_two_seconds_is_no_answer(self, account: Account) -> None:
        account.lead()

        def slow() -> int:
            account.clock.advance(2.1)
            return 200

        account.answer = slow
        account.courier.deliver_due()
        assert account.courier.next_due() == account.clock.now() + timedelta(minutes=5)

    def test_a_repeated_delivery_has_the_same_body_and_a_new_request_id(self, account: Account) -> None:
        self.attempts(account, [500, 200])
        assert account.hooks[-1] == account.hooks[-2]
        assert account.headers[-1]["X-amoCRM-RequestId"] != account.headers[-2]["X-amoCRM-RequestId"]

    def test_more_than_100_bad_answers_in_two_hours_switch_the_webhook_off(self, account: Account) -> None:
        account.subscribe("add_lead")
        account.answer = lambda: 500
        account.api.post("/leads", json=[{}] * 100)
        account.courier.deliver_due()
        assert self.webhook(account)["disabled"] is False
        account.lead()
        account.courier.deliver_due()
        assert self.webhook(account)["disabled"] is True
        assert account.courier.next_due() is None
        account.lead()
        assert account.courier.next_due() is None
        account.answer = lambda: 200
        account.admin.enable_webhook(DESTINATION)
        account.lead()
        assert account.delivered() == ["leads[add]"]

    def test_bad_answers_older_than_two_hours_do_not_count(self, account: Account) -> None:
        account.subscribe("add_lead")
        account.answer = lambda: 404
        account.api.post("/leads", json=[{}] * 100)
        account.courier.deliver_due()
        account.clock.advance(7300)
        account.answer = lambda: 200
        account.courier.deliver_due()
        account.answer = lambda: 404
        account.lead()
        account.courier.deliver_due()
        assert self.webhook(account)["disabled"] is False

    def test_a_good_last_answer_keeps_it_on_whatever_came_before(self, account: Account) -> None:
        account.subscribe("add_lead")
        account.api.post("/leads", json=[{}] * 102)
        answers = iter([404] * 100 + [200] * 2)
        account.answer = lambda: next(answers)
        account.courier.deliver_due()
        assert self.webhook(account)["disabled"] is False

    def test_a_person_may_switch_it_off_and_what_waits_is_lost(self, account: Account) -> None:
        account.lead()
        account.admin.disable_webhook(DESTINATION)
        assert account.delivered() == []
        assert self.webhook(account)["disabled"] is True

    def webhook(self, account: Account) -> dict[str, object]:
        shown: dict[str, object] = account.api.get("/webhooks").json()["_embedded"]["webhooks"][0]
        return shown


class TestBadDelivery:
    def test_drops_and_duplicates(self) -> None:
        account = Account(hook_drop_share=0.3, hook_duplicate_share=0.5)
        account.subscribe("add_lead")
        account.api.post("/leads", json=[{}] * 200)
        account.clock.advance(100)
        account.delivered()
        each = Counter(next(value for key, value in hook if key == "leads[add][0][id]") for hook in account.hooks)
        assert 100 < len(each) < 180
        assert set(each.values()) == {1, 2}

    def test_delay_and_order(self) -> None:
        account = Account(hook_delay=(1.0, 5.0))
        account.subscribe("add_lead")
        account.api.post("/leads", json=[{}] * 50)
        assert account.delivered() == []
        account.clock.advance(5)
        assert len(account.delivered()) == 50
        order = [next(value for key, value in hook if key == "leads[add][0][id]") for hook in account.hooks]
        assert order != sorted(order)

    def test_a_burst_waits_until_it_is_full_or_patience_ends(self) -> None:
        account = Account(hook_burst=100)
        account.subscribe("add_lead")
        account.api.post("/leads", json=[{}] * 99)
        assert account.delivered() == []
        account.lead()
        assert len(account.delivered()) == 100
        account.lead()
        assert account.delivered() == []
        account.clock.advance(30)
        assert len(account.delivered()) == 1

    def test_everything_is_the_same_with_the_same_seed(self) -> None:
        def day() -> list[list[tuple[str, str]]]:
            account = Account(hook_delay=(0.0, 9.0), hook_drop_share=0.2, hook_duplicate_share=0.2, hook_reorder=True)
            account.subscribe(*EVERYTHING)
            for _ in range(20):
                account.admin.accept(account.form()["uid"])
            account.clock.advance(100)
            account.delivered()
            return account.hooks

        assert day() == day()
