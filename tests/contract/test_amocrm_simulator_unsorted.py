"""«Неразобранное» of the simulator."""

from __future__ import annotations

import pytest

from tests.contract.amocrm_account import Account, errors, form_item, ids


@pytest.fixture
def account() -> Account:
    return Account()


def lead_of(item: dict[str, object]) -> int:
    return item["_embedded"]["leads"][0]["id"]  # type: ignore[index, no-any-return]


class TestWaiting:
    def test_the_lead_exists_from_the_start_in_the_type_1_stage_with_nobody_responsible(self, account: Account) -> None:
        lead = account.api.get(f"/leads/{lead_of(account.form())}").json()
        assert (lead["status_id"], lead["responsible_user_id"]) == (account.unsorted_stage(), 0)
        assert (lead["created_by"], lead["name"]) == (0, "Заявка с сайта")

    def test_the_contact_is_hidden_from_lists_until_acceptance(self, account: Account) -> None:
        item = account.form()
        contact_id = item["_embedded"]["contacts"][0]["id"]
        assert account.api.get(f"/contacts/{contact_id}").json()["is_unsorted"] is True
        for path in ("/contacts", "/contacts?query=9990000001"):
            assert account.api.get(path).status_code == 204
        account.api.post(f"/leads/unsorted/{item['uid']}/accept", json={})
        assert ids(account.api.get("/contacts?query=9990000001"), "contacts") == [contact_id]
        assert account.api.get(f"/contacts/{contact_id}").json()["is_unsorted"] is False

    def test_the_source_shows_only_when_asked_for(self, account: Account) -> None:
        lead_id = lead_of(account.form())
        assert account.api.get(f"/leads/{lead_id}").json()["source_id"] is None
        assert account.api.get(f"/leads/{lead_id}?with=source_id").json()["source_id"] is not None

    def test_the_answer_of_a_creation(self, account: Account) -> None:
        answer = account.api.post("/leads/unsorted/forms", json=[form_item(request_id="123")]).json()
        item = answer["_embedded"]["unsorted"][0]
        assert (answer["_total_items"], item["request_id"], len(item["uid"])) == (1, "123", 60)
        assert [len(item["_embedded"][key]) for key in ("leads", "contacts", "companies")] == [1, 1, 0]

    def test_the_same_data_twice_is_refused(self, account: Account) -> None:
        assert account.api.post("/leads/unsorted/forms", json=[form_item()]).status_code == 200
        assert errors(account.api.post("/leads/unsorted/forms", json=[form_item()]))[0][1] == "source_uid"

    def test_missing_metadata_is_named(self, account: Account) -> None:
        answer = account.api.post("/leads/unsorted/forms", json=[form_item(metadata={"form_id": "f1"})])
        assert [path for _, path, _ in errors(answer)] == [
            "metadata.form_name",
            "metadata.form_page",
            "metadata.form_sent_at",
        ]

    def test_sip_items(self, account: Account) -> None:
        metadata = {"phone": "+79990000001", "called_at": 1, "duration": 30, "service_code": "pbx", "link": None}
        body = {"source_name": "АТС", "source_uid": "pbx", "metadata": metadata}
        assert account.api.post("/leads/unsorted/sip", json=[body]).status_code == 200
        listed = account.api.get("/leads/unsorted?filter[category][]=sip").json()["_embedded"]["unsorted"]
        assert listed[0]["metadata"]["service_code"] == "pbx"

    def test_without_a_category_it_is_405(self, account: Account) -> None:
        assert account.api.post("/leads/unsorted", json=[form_item()]).status_code == 405

    def test_chats_and_mail_come_from_clients_and_carry_their_service(self, account: Account) -> None:
        chat = account.clients.writes("Здравствуйте", service="whatsapp", source_name="WhatsApp")
        account.clients.mails("Вопрос по заказу")
        listed = account.api.get("/leads/unsorted").json()["_embedded"]["unsorted"]
        assert [item["category"] for item in listed] == ["chats", "mail"]
        assert listed[0]["metadata"]["service"] == "whatsapp"
        assert lead_of(listed[0]) == chat.lead_id

    def test_filters_of_the_list(self, account: Account) -> None:
        first, second = account.form(), account.form()
        listed = account.api.get(f"/leads/unsorted?filter[uid][]={second['uid']}").json()["_embedded"]["unsorted"]
        assert [item["uid"] for item in listed] == [second["uid"]]
        assert account.api.get("/leads/unsorted?filter[pipeline_id]=1").status_code == 204
        assert account.api.get(f"/leads/unsorted/{first['uid']}").json()["uid"] == first["uid"]


class TestAccepting:
    def test_the_lead_keeps_its_id_and_gets_stage_and_owner(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        item = account.form()
        stage = account.main.statuses[2].id
        answer = account.api.post(
            f"/leads/unsorted/{item['uid']}/accept", json={"user_id": anna.id, "status_id": stage}
        )
        assert answer.status_code == 200
        assert list(answer.json()) == ["uid", "pipeline_id", "category", "created_at", "_embedded"]
        lead = account.api.get(f"/leads/{lead_of(answer.json())}").json()
        assert (lead["id"], lead["status_id"], lead["responsible_user_id"]) == (lead_of(item), stage, anna.id)
        assert lead["created_by"] == 0

    def test_by_default_it_is_the_tokens_user_and_the_first_stage(self, account: Account) -> None:
        item = account.form()
        account.api.post(f"/leads/unsorted/{item['uid']}/accept")
        lead = account.api.get(f"/leads/{lead_of(item)}").json()
        assert (lead["status_id"], lead["responsible_user_id"]) == (account.main.entry.id, account.world.admin.id)

    def test_a_second_accept_fails_with_404_or_by_switch_400(self, account: Account) -> None:
        item = account.form()
        account.admin.accept(item["uid"])
        for status in (404, 400):
            account.world.switch(repeated_accept=status)
            for method, action in (("POST", "accept"), ("DELETE", "decline")):
                answer = account.api.request(method, f"/leads/unsorted/{item['uid']}/{action}", json={})
                assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert account.api.get(f"/leads/unsorted/{item['uid']}").status_code == 404

    def test_a_wrong_stage_or_user_is_refused_and_the_item_stays(self, account: Account) -> None:
        item = account.form()
        gone = account.world.add_user("Пётр", "petr@demo.example")
        account.admin.switch_off(gone.id)
        body = {"user_id": gone.id, "status_id": account.unsorted_stage()}
        answer = account.api.post(f"/leads/unsorted/{item['uid']}/accept", json=body)
        assert [path for _, path, _ in errors(answer)] == ["status_id", "user_id"]
        assert account.api.get(f"/leads/unsorted/{item['uid']}").status_code == 200

    def test_the_list_may_lag_behind_an_accept(self, account: Account) -> None:
        item = account.form()
        account.clock.advance(60)
        account.world.switch(list_lag=(5.0, 5.0))
        account.admin.accept(item["uid"])
        path = f"/leads/unsorted?filter[uid][]={item['uid']}"
        assert account.api.get(path).status_code == 200
        account.clock.advance(5)
        assert account.api.get(path).status_code == 204


class TestDecliningAndLinking:
    def test_decline_puts_lead_and_contact_into_the_bin(self, account: Account) -> None:
        item = account.form()
        answer = account.api.request("DELETE", f"/leads/unsorted/{item['uid']}/decline", json={})
        assert answer.status_code == 200
        assert account.api.get(f"/leads/{lead_of(item)}").status_code == 204
        deleted = account.api.get("/leads?with=only_deleted").json()["_embedded"]["leads"]
        assert [(row["id"], row["is_deleted"]) for row in deleted] == [(lead_of(item), True)]
        assert account.api.get(f"/contacts/{item['_embedded']['contacts'][0]['id']}").status_code == 204

    def test_a_chat_is_linked_to_a_lead_that_exists(self, account: Account) -> None:
        lead_id = account.lead()
        item = account.clients.writes("Это снова я")
        body = {"link": {"entity_id": lead_id, "entity_type": "leads"}}
        answer = account.api.post(f"/leads/unsorted/{item.uid}/link", json=body)
        assert [row["id"] for row in answer.json()["_embedded"]["leads"]] == [lead_id]
        assert account.api.get(f"/leads/{item.lead_id}").status_code == 204
        contacts = account.api.get(f"/leads/{lead_id}?with=contacts").json()["_embedded"]["contacts"]
        assert [row["id"] for row in contacts] == [item.contact_id]

    def test_a_form_cannot_be_linked(self, account: Account) -> None:
        body = {"link": {"entity_id": account.lead(), "entity_type": "leads"}}
        assert account.api.post(f"/leads/unsorted/{account.form()['uid']}/link", json=body).status_code == 400

    def test_the_summary_counts(self, account: Account) -> None:
        accepted, declined = account.form(), account.form()
        account.clients.writes("Привет")
        account.clock.advance(600)
        account.admin.accept(accepted["uid"])
        account.admin.decline(declined["uid"])
        summary = account.api.get("/leads/unsorted/summary").json()
        assert (summary["total"], summary["accepted"], summary["declined"]) == (3, 1, 1)
        assert summary["categories"] == {
            "sip": {"total": 0},
            "mail": {"total": 0},
            "forms": {"total": 2},
            "chats": {"total": 1},
        }
        assert 600 <= summary["average_sort_time"] <= 601
