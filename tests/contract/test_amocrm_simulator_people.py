"""What a person does in amoCRM's windows, and the board."""

from __future__ import annotations

import re

import pytest

from infra.local.amocrm_simulator.people import Person
from tests.contract.amocrm_account import Account


@pytest.fixture
def account() -> Account:
    account = Account()
    account.subscribe()
    return account


class TestHand:
    def test_a_deleted_lead_is_204_in_the_bin_and_told(self, account: Account) -> None:
        lead_id = account.lead()
        account.delivered()
        account.admin.delete_lead(lead_id)
        assert account.delivered() == ["leads[delete]"]
        assert set(account.hook("leads[delete]")) >= {"id", "status_id", "pipeline_id"}
        assert account.api.get(f"/leads/{lead_id}").status_code == 204
        assert account.api.get("/leads").status_code == 204
        assert account.api.patch(f"/leads/{lead_id}", json={"price": 1}).status_code == 404
        account.world.switch(deleted_leads_visible=True)
        assert account.api.get(f"/leads/{lead_id}").json()["is_deleted"] is True
        account.admin.restore_lead(lead_id)
        assert account.delivered() == ["leads[restore]"]

    def test_merging_keeps_the_winner_with_everything_and_the_loser_is_gone(self, account: Account) -> None:
        first, second = account.contact("+79990000001"), account.contact("+79990000002")
        winner = account.lead(_embedded={"contacts": [{"id": first}], "tags": [{"name": "сайт"}]})
        loser = account.lead(_embedded={"contacts": [{"id": second}], "tags": [{"name": "чат"}]})
        account.admin.write_note(loser, "Из чата")
        task = {"text": "Позвонить", "complete_till": 1, "entity_id": loser, "entity_type": "leads"}
        account.api.post("/tasks", json=[task])
        account.delivered()
        account.admin.merge_leads(winner=winner, loser=loser)
        assert sorted(account.delivered()) == ["leads[delete]", "leads[update]"]
        assert account.api.get(f"/leads/{loser}").status_code == 204
        kept = account.api.get(f"/leads/{winner}?with=contacts").json()
        assert [row["id"] for row in kept["_embedded"]["contacts"]] == [first, second]
        assert [tag["name"] for tag in kept["_embedded"]["tags"]] == ["сайт", "чат"]
        assert kept["closest_task_at"] == 1
        assert account.api.get(f"/leads/{winner}/notes").status_code == 200
        types = account.api.get("/events?filter[type]=entity_merged").json()["_embedded"]["events"]
        assert [event["entity_id"] for event in types] == [winner]

    def test_a_merge_may_stay_silent(self, account: Account) -> None:
        account.world.switch(merge_hooks=False)
        winner, loser = account.lead(), account.lead()
        account.delivered()
        account.admin.merge_leads(winner=winner, loser=loser)
        assert account.delivered() == []

    def test_a_manager_accepts_before_the_machine(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        item = account.form()
        Person(account.world, anna.id).accept(item["uid"])
        lead = account.api.get(f"/leads/{item['_embedded']['leads'][0]['id']}").json()
        assert (lead["responsible_user_id"], lead["updated_by"]) == (anna.id, anna.id)
        with pytest.raises(KeyError):
            account.admin.decline(item["uid"])

    def test_dragging_a_card_out_of_unsorted_accepts_it_and_deleting_it_declines(self, account: Account) -> None:
        dragged, deleted = account.form(), account.form()
        account.delivered()
        account.admin.move(dragged["_embedded"]["leads"][0]["id"], account.main.statuses[2].id)
        account.admin.delete_lead(deleted["_embedded"]["leads"][0]["id"])
        account.delivered()
        actions = [value for hook in account.hooks for key, value in hook if key == "unsorted[delete][0][action]"]
        assert sorted(actions) == ["accept", "decline"]
        assert account.api.get("/leads/unsorted").status_code == 204

    def test_moves_and_reassignments_are_the_persons(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        lead_id = account.lead()
        hers = Person(account.world, anna.id)
        hers.move(lead_id, 143)
        hers.reassign(lead_id, anna.id)
        lead = account.api.get(f"/leads/{lead_id}").json()
        assert (lead["status_id"], lead["responsible_user_id"], lead["updated_by"]) == (143, anna.id, anna.id)

    def test_a_switched_off_users_token_stops_working(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        hers = account.client(account.world.add_token("hers", anna.id))
        assert hers.get("/account").status_code == 200
        account.admin.switch_off(anna.id)
        assert hers.get("/account").status_code == 401


class TestBoard:
    def test_it_shows_stages_cards_owners_and_ages_without_asking_anybody_else(self, account: Account) -> None:
        account.lead(name="<b>Кухня</b>")
        account.form()
        account.clock.advance(7200)
        page = account.client("").get("http://demo.amocrm.test/board")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        for text in ("Воронка", "Неразобранное", "#99ccff", "&lt;b&gt;Кухня&lt;/b&gt;", "Администратор", "2 ч"):
            assert text in page.text
        assert not re.findall(r"(?:src|href|url\()[=\s\"']*https?:", page.text)
        assert "prefers-color-scheme: dark" in page.text

    def test_looking_at_it_counts_as_no_request(self, account: Account) -> None:
        before = account.world.requests.total
        for _ in range(20):
            assert account.hasty_client("").get("http://demo.amocrm.test/board").status_code == 200
        assert account.world.requests.total == before
