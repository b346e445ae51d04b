"""Contacts and their search, links, tasks, notes and the feed of the simulator."""

from __future__ import annotations

import pytest

from tests.contract.amocrm_account import Account, errors, ids, phone_values


@pytest.fixture
def account() -> Account:
    return Account()


class TestContacts:
    def test_phones_are_custom_fields_and_are_not_validated(self, account: Account) -> None:
        shown = account.api.get(f"/contacts/{account.contact('333')}").json()["custom_fields_values"][0]
        assert (shown["field_code"], shown["field_type"]) == ("PHONE", "multitext")
        assert shown["values"][0]["value"] == "333"
        assert shown["values"][0]["enum_code"] == "WORK"

    def test_first_and_last_name_build_the_name(self, account: Account) -> None:
        contact_id = account.api.post("/contacts", json=[{"first_name": "Анна", "last_name": "Ким"}])
        contact_id = contact_id.json()["_embedded"]["contacts"][0]["id"]
        assert account.api.get(f"/contacts/{contact_id}").json()["name"] == "Анна Ким"

    def test_a_patch_of_the_phone_replaces_all_its_values(self, account: Account) -> None:
        contact_id = account.contact("+79990000001")
        answer = account.api.patch(f"/contacts/{contact_id}", json=phone_values("+79990000002")).json()
        assert answer["_embedded"]["contacts"][0]["id"] == contact_id
        shown = account.api.get(f"/contacts/{contact_id}").json()["custom_fields_values"][0]["values"]
        assert [value["value"] for value in shown] == ["+79990000002"]

    def test_two_identical_posts_make_two_contacts(self, account: Account) -> None:
        assert account.contact("+79990000001") != account.contact("+79990000001")

    def test_query_finds_digits_however_the_phone_was_typed(self, account: Account) -> None:
        typed = account.contact("+7 (999) 555-11-22")
        other = account.contact("89995551122")
        account.contact("+79990000000")
        assert ids(account.api.get("/contacts?query=9995551122"), "contacts") == [typed, other]
        assert ids(account.api.get("/contacts", params={"query": "+79995551122"}), "contacts") == [typed]
        assert ids(account.api.get("/contacts?query=89995551122"), "contacts") == [other]

    def test_a_strict_query_compares_what_was_typed(self, account: Account) -> None:
        account.world.switch(strict_query=True)
        account.contact("+7 (999) 555-11-22")
        other = account.contact("89995551122")
        assert ids(account.api.get("/contacts?query=9995551122"), "contacts") == [other]

    def test_query_finds_strangers_whose_other_fields_match(self, account: Account) -> None:
        named = account.contact("+70000000000", name="Заказ 9995551122")
        assert ids(account.api.get("/contacts?query=9995551122"), "contacts") == [named]

    def test_companies_are_apart_from_contacts(self, account: Account) -> None:
        company = account.api.post("/companies", json=[{"name": "ООО Окна"}]).json()["_embedded"]["companies"][0]["id"]
        assert account.api.get("/contacts").status_code == 204
        assert account.api.get(f"/contacts/{company}").status_code == 204
        assert account.api.get(f"/companies/{company}").json()["name"] == "ООО Окна"


class TestLinks:
    def test_a_link_is_seen_from_both_sides_and_untied_again(self, account: Account) -> None:
        lead_id, contact_id = account.lead(), account.contact("+79990000001")
        body = [{"to_entity_id": contact_id, "to_entity_type": "contacts", "metadata": {"is_main": True}}]
        answer = account.api.post(f"/leads/{lead_id}/link", json=body)
        assert (answer.status_code, answer.json()["_total_items"]) == (200, 1)
        contact = account.api.get(f"/contacts/{contact_id}?with=leads").json()
        assert [row["id"] for row in contact["_embedded"]["leads"]] == [lead_id]
        links = account.api.get(f"/contacts/{contact_id}/links").json()["_embedded"]["links"]
        assert [(row["to_entity_id"], row["to_entity_type"]) for row in links] == [(lead_id, "leads")]
        assert account.api.post(f"/leads/{lead_id}/unlink", json=body).status_code == 204
        assert account.api.get(f"/leads/{lead_id}/links").status_code == 204
        assert account.api.get(f"/contacts/{contact_id}?with=leads").json()["_embedded"]["leads"] == []

    def test_a_lead_has_one_company(self, account: Account) -> None:
        lead_id = account.lead()
        made = account.api.post("/companies", json=[{"name": "A"}, {"name": "B"}]).json()["_embedded"]["companies"]
        for company in made:
            body = [{"to_entity_id": company["id"], "to_entity_type": "companies"}]
            assert account.api.post(f"/leads/{lead_id}/link", json=body).status_code == 200
        embedded = account.api.get(f"/leads/{lead_id}").json()["_embedded"]["companies"]
        assert [row["id"] for row in embedded] == [made[1]["id"]]

    def test_the_mass_variant_names_both_ends(self, account: Account) -> None:
        pairs = [(account.lead(), account.contact(f"+7999000000{n}")) for n in range(2)]
        body = [{"entity_id": a, "to_entity_id": b, "to_entity_type": "contacts"} for a, b in pairs]
        assert account.api.post("/leads/link", json=body).json()["_total_items"] == 2
        query = "&".join(f"filter[entity_id][]={lead_id}" for lead_id, _ in pairs)
        links = account.api.get(f"/leads/links?{query}").json()["_embedded"]["links"]
        assert [(row["entity_id"], row["to_entity_id"]) for row in links] == pairs
        bad = account.api.post("/leads/link", json=[{"entity_id": 1, "to_entity_id": 2, "to_entity_type": "leads"}])
        assert errors(bad) == [("0", "to_entity_type", "NotSupportedChoice"), ("0", "entity_id", "NotSupportedChoice")]

    def test_linking_again_keeps_the_main_contact_unless_another_is_named(self, account: Account) -> None:
        lead_id, main, second = account.lead(), account.contact("+79990000001"), account.contact("+79990000002")
        for metadata, people in ((None, [main]), (None, [main]), ({"is_main": False}, [main])):
            self.link(account, lead_id, main, metadata)
            assert self.people(account, lead_id) == people
        self.link(account, lead_id, second, None)
        assert self.people(account, lead_id) == [main, second]
        self.link(account, lead_id, second, {"is_main": True})
        assert self.people(account, lead_id) == [second, main]
        assert self.told(account, "entity_linked") == 2, "what was tied already is no news"

    def test_untying_what_is_not_tied_changes_nothing_and_is_no_news(self, account: Account) -> None:
        lead_id, contact_id = account.lead(), account.contact("+79990000001")
        made = account.api.post("/companies", json=[{"name": "A"}, {"name": "B"}]).json()["_embedded"]["companies"]
        kept, other = (company["id"] for company in made)
        account.api.post(f"/leads/{lead_id}/link", json=[{"to_entity_id": kept, "to_entity_type": "companies"}])
        for id_, kind in ((contact_id, "contacts"), (other, "companies")):
            body = [{"entity_id": lead_id, "to_entity_id": id_, "to_entity_type": kind}]
            assert account.api.post("/leads/unlink", json=body).status_code == 204
        assert account.api.get(f"/leads/{lead_id}").json()["_embedded"]["companies"][0]["id"] == kept
        assert self.told(account, "entity_unlinked") == 0

    @staticmethod
    def link(account: Account, lead_id: int, contact_id: int, metadata: dict[str, bool] | None) -> None:
        extra = {} if metadata is None else {"metadata": metadata}
        body = [{"entity_id": lead_id, "to_entity_id": contact_id, "to_entity_type": "contacts", **extra}]
        assert account.api.post("/leads/link", json=body).status_code == 200

    @staticmethod
    def people(account: Account, lead_id: int) -> list[int]:
        shown = account.api.get(f"/leads/{lead_id}?with=contacts").json()["_embedded"]["contacts"]
        return [contact["id"] for contact in shown]

    @staticmethod
    def told(account: Account, type_: str) -> int:
        answer = account.api.get(f"/events?filter[type]={type_}")
        return 0 if answer.status_code == 204 else len(answer.json()["_embedded"]["events"])


class TestTasks:
    def test_text_and_deadline_are_required_and_the_entity_must_exist(self, account: Account) -> None:
        bad = {"entity_id": 1, "entity_type": "leads", "task_type_id": 77}
        assert errors(account.api.post("/tasks", json=[bad])) == [
            ("0", "text", "FieldMissing"),
            ("0", "complete_till", "FieldMissing"),
            ("0", "task_type_id", "NotSupportedChoice"),
            ("0", "entity_id", "NotSupportedChoice"),
        ]

    def test_a_task_shows_on_its_lead_and_is_completed_with_a_result(self, account: Account) -> None:
        lead_id = account.lead()
        task_id = self.add(account, lead_id, complete_till=2000000000)
        assert account.api.get(f"/leads/{lead_id}").json()["closest_task_at"] == 2000000000
        assert account.api.get(f"/tasks/{task_id}").json()["result"] == []
        account.api.patch(f"/tasks/{task_id}", json={"is_completed": True, "result": {"text": "Дозвонились"}})
        task = account.api.get(f"/tasks/{task_id}").json()
        assert (task["is_completed"], task["result"]) == (True, {"text": "Дозвонились"})
        assert account.api.get(f"/leads/{lead_id}").json()["closest_task_at"] is None

    def test_filters(self, account: Account) -> None:
        first, second = account.lead(), account.lead()
        mine, other = self.add(account, first), self.add(account, second, task_type_id=2)
        path = f"/tasks?filter[entity_type]=leads&filter[entity_id][]={first}&filter[is_completed]=0"
        assert ids(account.api.get(path), "tasks") == [mine]
        assert ids(account.api.get(f"/tasks?filter[entity_id][]={first}"), "tasks") == [mine, other]
        assert ids(account.api.get("/tasks?filter[task_type][]=2"), "tasks") == [other]

    def test_a_task_moves_to_another_lead_whole(self, account: Account) -> None:
        here, there = account.lead(), account.lead()
        task_id = self.add(account, here, complete_till=2000000000)
        bad = account.api.patch("/tasks", json=[{"id": task_id, "entity_id": there}])
        assert errors(bad) == [("0", "entity_type", "NotSupportedChoice")], "an id means nothing without its type"
        body = [{"id": task_id, "entity_id": there, "entity_type": "leads"}]
        assert account.api.patch("/tasks", json=body).status_code == 200
        due = [account.api.get(f"/leads/{lead_id}").json()["closest_task_at"] for lead_id in (here, there)]
        assert due == [None, 2000000000]

    def test_deleting_is_403(self, account: Account) -> None:
        assert account.api.delete(f"/tasks/{self.add(account, account.lead())}").status_code == 403

    def add(self, account: Account, lead_id: int, **fields: object) -> int:
        task = {"text": "Позвонить", "complete_till": 1, "entity_id": lead_id, "entity_type": "leads", **fields}
        answer = account.api.post("/tasks", json=[task])
        return int(answer.json()["_embedded"]["tasks"][0]["id"])


class TestNotes:
    def test_all_paths_of_a_note(self, account: Account) -> None:
        lead_id = account.lead()
        common = {"note_type": "common", "params": {"text": "Почему"}}
        many = account.api.post("/leads/notes", json=[{"entity_id": lead_id, **common}]).json()["_embedded"]["notes"]
        one = account.api.post(f"/leads/{lead_id}/notes", json=[common]).json()["_embedded"]["notes"]
        made = [many[0]["id"], one[0]["id"]]
        for path in ("/leads/notes", f"/leads/{lead_id}/notes", f"/leads/notes?filter[entity_id][]={lead_id}"):
            assert ids(account.api.get(path), "notes") == made
        assert account.api.get("/leads/notes?filter[note_type][]=call_in").status_code == 204
        assert account.api.get("/contacts/notes").status_code == 204
        for path in (f"/leads/notes/{made[0]}", f"/leads/{lead_id}/notes/{made[0]}"):
            assert account.api.get(path).json()["params"] == {"text": "Почему"}
        account.api.patch(f"/leads/{lead_id}/notes/{made[0]}", json={"params": {"text": "Иначе"}})
        assert account.api.get(f"/leads/notes/{made[0]}").json()["params"] == {"text": "Иначе"}
        assert account.api.post(f"/leads/{lead_id}/notes/{made[0]}/pin").status_code == 204

    def test_params_of_the_type_and_the_entity_are_checked(self, account: Account) -> None:
        lead_id = account.lead()
        bad = [
            {"entity_id": lead_id, "note_type": "call_in", "params": {"uniq": "1", "duration": 5}},
            {"entity_id": 1, "note_type": "common", "params": {"text": "x"}},
            {"entity_id": lead_id, "note_type": "poem"},
        ]
        assert errors(account.api.post("/leads/notes", json=bad)) == [
            ("0", "params.source", "FieldMissing"),
            ("0", "params.phone", "FieldMissing"),
            ("1", "entity_id", "NotSupportedChoice"),
            ("2", "note_type", "NotSupportedChoice"),
        ]


class TestFeed:
    def test_it_tells_newest_first_who_did_what(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        lead_id = account.lead()
        account.api.patch(f"/leads/{lead_id}", json={"status_id": 142, "responsible_user_id": anna.id})
        events = account.api.get("/events").json()["_embedded"]["events"]
        assert [event["type"] for event in events] == [
            "entity_responsible_changed",
            "lead_status_changed",
            "lead_added",
        ]
        status = events[1]
        assert status["value_after"] == [{"lead_status": {"id": 142, "pipeline_id": account.main.id}}]
        assert (len(status["id"]), status["entity_type"]) == (26, "lead")
        assert account.api.get(f"/events/{status['id']}").json() == status

    def test_pages_hold_100_at_most(self, account: Account) -> None:
        assert account.api.get("/events?limit=100").status_code == 204
        answer = account.api.get("/events?limit=101")
        assert (answer.status_code, answer.json()["detail"]) == (422, "Limit 100 per page")

    def test_filters_take_commas_and_brackets(self, account: Account) -> None:
        first, second = account.lead(), account.lead()
        account.api.patch("/leads", json=[{"id": first, "price": 1}, {"id": second, "price": 2}])
        for types in (
            "filter[type]=lead_added,sale_field_changed",
            "filter[type][]=lead_added&filter[type][]=sale_field_changed",
        ):
            events = account.api.get(f"/events?{types}&filter[entity]=lead&filter[entity_id][]={first}")
            assert [event["type"] for event in events.json()["_embedded"]["events"]] == [
                "sale_field_changed",
                "lead_added",
            ]

    def test_a_filtered_feed_may_lag_behind(self, account: Account) -> None:
        account.world.switch(list_lag=(5, 5))
        account.lead()
        assert account.api.get("/events?filter[entity]=lead").status_code == 204
        assert account.api.get("/events").status_code == 200
        account.clock.advance(7)
        assert account.api.get("/events?filter[entity]=lead").status_code == 200

    def test_a_fields_change_names_the_field(self, account: Account) -> None:
        body = [{"name": "Итог", "type": "text"}]
        field_id = account.api.post("/leads/custom_fields", json=body).json()["_embedded"]["custom_fields"][0]["id"]
        lead_id = account.lead()
        values = [{"field_id": field_id, "values": [{"value": "целевой"}]}]
        account.api.patch(f"/leads/{lead_id}", json={"custom_fields_values": values})
        events = account.api.get(f"/events?filter[type]=custom_field_{field_id}_value_changed").json()["_embedded"][
            "events"
        ]
        assert events[0]["value_after"][0]["custom_field_value"]["text"] == "целевой"
