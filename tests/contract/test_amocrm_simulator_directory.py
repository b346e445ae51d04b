"""What an administrator sets up: account, users, pipelines, fields, reasons, tags, sources, webhooks."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from infra.local.amocrm_simulator.stages import COLORS
from tests.contract.amocrm_account import DESTINATION, Account, errors


@pytest.fixture
def account() -> Account:
    return Account()


def pipeline_body(**fields: Any) -> dict[str, Any]:
    stages = [{"name": "Новая", "sort": 10, "color": "#fffeb2"}, {"id": 143, "name": "Отказ"}]
    base = {"name": "Продажи", "sort": 20, "is_main": False, "is_unsorted_on": True, "_embedded": {"statuses": stages}}
    return {**base, **fields}


class TestAccount:
    def test_a_fresh_account_has_one_admin_one_pipeline_and_nothing_else(self, account: Account) -> None:
        users = account.api.get("/users").json()
        assert (users["_total_items"], users["_page_count"]) == (1, 1)
        pipelines = account.api.get("/leads/pipelines").json()
        assert [row["name"] for row in pipelines["_embedded"]["pipelines"]] == ["Воронка"]
        for path in ("/leads", "/contacts", "/companies", "/tasks", "/leads/notes", "/events", "/webhooks"):
            assert account.api.get(path).status_code == 204
        for path in ("/leads/loss_reasons", "/leads/tags", "/sources", "/leads/unsorted"):
            assert account.api.get(path).status_code == 204

    def test_the_tokens_user_and_what_with_adds(self, account: Account) -> None:
        plain = account.api.get("/account").json()
        assert (plain["subdomain"], plain["current_user_id"]) == ("demo", account.world.admin.id)
        assert "_embedded" not in plain
        parts = account.api.get("/account?with=task_types,users_groups,datetime_settings").json()["_embedded"]
        assert [row["code"] for row in parts["task_types"]] == ["FOLLOW_UP", "MEETING"]
        assert parts["datetime_settings"]["date_formant"] == "d.m.Y"
        assert parts["datetime_settings"]["timezone_offset"] == "+03:00"

    def test_an_unknown_path_is_404_with_the_vendors_words(self, account: Account) -> None:
        answer = account.api.get("/nothing")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "Cannot GET http://demo.amocrm.test/api/v4/nothing"


class TestUsers:
    def test_a_new_user(self, account: Account) -> None:
        body = {"name": "Анна", "email": "anna@demo.example", "password": "secret", "rights": {"leads": {"edit": "D"}}}
        user = account.api.post("/users", json=[body]).json()["_embedded"]["users"][0]
        assert user["rights"]["leads"] == {"view": "A", "edit": "D", "add": "A", "delete": "A", "export": "A"}
        assert (user["rights"]["is_active"], user["rights"]["is_admin"]) == (True, False)
        assert errors(account.api.post("/users", json=[body]))[0][1:] == ("email", "NotUnique")
        assert errors(account.api.post("/users", json=[{"name": "Пётр"}])) == [
            ("0", "email", "FieldMissing"),
            ("0", "password", "FieldMissing"),
        ]

    def test_a_missing_user_is_404_and_the_list_is_for_administrators(self, account: Account) -> None:
        assert account.api.get("/users/1").status_code == 404
        anna = account.world.add_user("Анна", "anna@demo.example")
        assert account.client(account.world.add_token("hers", anna.id)).get("/users").status_code == 403

    def test_a_switched_off_user_stays_in_the_list(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        account.admin.switch_off(anna.id)
        assert account.api.get(f"/users/{anna.id}").json()["rights"]["is_active"] is False


class TestPipelines:
    def test_system_stages_are_in_every_pipeline_and_unsorted_has_its_own_id(self, account: Account) -> None:
        made = account.api.post("/leads/pipelines", json=[pipeline_body()]).json()["_embedded"]["pipelines"][0]
        stages = made["_embedded"]["statuses"]
        assert [(row["name"], row["type"]) for row in stages] == [
            ("Неразобранное", 1),
            ("Новая", 0),
            ("Успешно реализовано", 0),
            ("Отказ", 0),
        ]
        assert [row["id"] for row in stages[2:]] == [142, 143]
        assert stages[0]["id"] != account.unsorted_stage()
        assert [row["is_editable"] for row in stages] == [False, True, False, False]

    def test_unsorted_is_missing_where_it_is_off(self, account: Account) -> None:
        made = account.api.post("/leads/pipelines", json=[pipeline_body(is_unsorted_on=False)]).json()
        assert made["_embedded"]["pipelines"][0]["_embedded"]["statuses"][0]["type"] == 0

    def test_a_bare_name_is_refused(self, account: Account) -> None:
        refused = errors(account.api.post("/leads/pipelines", json=[{"name": "Продажи"}]))
        assert [path for _, path, _ in refused] == ["sort", "is_main", "is_unsorted_on", "_embedded.statuses"]

    def test_only_21_colours(self, account: Account) -> None:
        assert len(COLORS) == 21
        path = f"/leads/pipelines/{account.main.id}/statuses"
        assert account.api.post(path, json=[{"name": "Этап", "color": "#87f2c0"}]).status_code == 200
        answer = account.api.post(path, json=[{"name": "Этап", "color": "#99ccff"}])
        assert errors(answer) == [("0", "color", "NotSupportedChoice")]

    def test_emoji_become_blanks(self, account: Account) -> None:
        path = f"/leads/pipelines/{account.main.id}/statuses"
        assert account.api.post(path, json=[{"name": "Замер🔥"}]).json()["_embedded"]["statuses"][0]["name"] == "Замер "

    def test_system_stages_cannot_be_changed_or_deleted(self, account: Account) -> None:
        for status_id in (142, 143, account.unsorted_stage()):
            path = f"/leads/pipelines/{account.main.id}/statuses/{status_id}"
            assert account.api.patch(path, json={"name": "Иначе"}).status_code == 400
            assert account.api.delete(path).status_code == 400

    def test_missing_ones_are_404(self, account: Account) -> None:
        assert account.api.get("/leads/pipelines/1").status_code == 404
        assert account.api.get(f"/leads/pipelines/{account.main.id}/statuses/1").status_code == 404

    def test_there_is_one_main_pipeline(self, account: Account) -> None:
        account.api.post("/leads/pipelines", json=[pipeline_body(is_main=True)])
        listed = account.api.get("/leads/pipelines").json()["_embedded"]["pipelines"]
        assert [row["is_main"] for row in listed] == [False, True]
        assert account.api.delete(f"/leads/pipelines/{listed[1]['id']}").status_code == 400
        assert account.api.delete(f"/leads/pipelines/{listed[0]['id']}").status_code == 204

    def test_writing_needs_an_administrator(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        hers = account.client(account.world.add_token("hers", anna.id))
        assert hers.post("/leads/pipelines", json=[pipeline_body()]).status_code == 403
        assert hers.get("/leads/pipelines").status_code == 200


class TestSmallDirectories:
    def test_phones_and_emails_are_predefined_fields_with_their_codes(self, account: Account) -> None:
        fields = account.api.get("/contacts/custom_fields").json()["_embedded"]["custom_fields"]
        codes = {row["code"]: [enum["value"] for enum in row["enums"] or []] for row in fields}
        assert codes["PHONE"] == ["WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"]
        assert codes["EMAIL"] == ["WORK", "PRIV", "OTHER"]

    def test_a_list_needs_values_and_a_known_type(self, account: Account) -> None:
        refused = account.api.post(
            "/leads/custom_fields", json=[{"name": "A", "type": "select"}, {"name": "B", "type": "x"}]
        )
        assert errors(refused) == [("0", "enums", "FieldMissing"), ("1", "type", "NotSupportedChoice")]

    def test_patching_a_list_drops_the_values_that_are_not_sent_again(self, account: Account) -> None:
        body = {"name": "Тип", "type": "select", "enums": [{"value": "A"}, {"value": "B"}]}
        made = account.api.post("/leads/custom_fields", json=[body]).json()["_embedded"]["custom_fields"][0]
        kept = made["enums"][0]
        changed = account.api.patch(f"/leads/custom_fields/{made['id']}", json={"enums": [kept, {"value": "C"}]}).json()
        assert [enum["value"] for enum in changed["enums"]] == ["A", "C"]
        assert changed["enums"][0]["id"] == kept["id"]
        assert account.api.delete(f"/leads/custom_fields/{made['id']}").status_code == 204

    def test_loss_reasons_tags_and_sources(self, account: Account) -> None:
        reason = account.api.post("/leads/loss_reasons", json=[{"name": "Дорого"}]).json()["_embedded"]["loss_reasons"][
            0
        ]
        assert (reason["name"], reason["sort"]) == ("Дорого", 100_000)
        assert account.api.delete(f"/leads/loss_reasons/{reason['id']}").status_code == 204
        account.api.post("/leads/tags", json=[{"name": "VIP", "color": "FF8F92"}, {"name": "сайт"}])
        listed = account.api.get("/leads/tags?query=vip").json()["_embedded"]["tags"]
        assert [(row["name"], row["color"]) for row in listed] == [("VIP", "FF8F92")]
        source = {"name": "Бот", "external_id": "bot-1"}
        assert account.api.post("/sources", json=[source]).status_code == 200
        assert errors(account.api.post("/sources", json=[source]))[0][1:] == ("external_id", "NotUnique")


class TestWebhooks:
    def test_subscribing_is_201_listing_shows_it_and_deleting_goes_by_url(self, account: Account) -> None:
        body = {"destination": DESTINATION, "settings": ["add_lead", "status_lead"], "sort": 10}
        made = account.api.post("/webhooks", json=body)
        assert (made.status_code, made.json()["disabled"], made.json()["settings"]) == (201, False, body["settings"])
        listed = account.api.get("/webhooks", params={"filter[destination]": DESTINATION}).json()
        assert (listed["_total_items"], listed["_embedded"]["webhooks"][0]["destination"]) == (1, DESTINATION)
        assert self.delete(account, "https://app.example/other").status_code == 404
        assert self.delete(account, DESTINATION).status_code == 204
        assert account.api.get("/webhooks").status_code == 204

    def test_a_known_url_gets_the_new_settings(self, account: Account) -> None:
        account.subscribe("add_lead")
        account.subscribe("status_lead", "update_lead")
        listed = account.api.get("/webhooks").json()
        assert (listed["_total_items"], listed["_embedded"]["webhooks"][0]["settings"]) == (
            1,
            ["status_lead", "update_lead"],
        )

    @pytest.mark.parametrize("destination", ["https://app.example", "ftp://app.example/x", "nonsense"])
    def test_a_url_without_a_path_is_invalid(self, account: Account, destination: str) -> None:
        answer = account.api.post("/webhooks", json={"destination": destination, "settings": ["add_lead"]})
        assert errors(answer) == [("0", "destination", "InvalidValue")]

    def test_an_unknown_event_is_refused(self, account: Account) -> None:
        answer = account.api.post("/webhooks", json={"destination": DESTINATION, "settings": ["add_lead", "lead_add"]})
        assert errors(answer) == [("0", "settings.1", "NotSupportedChoice")]

    def test_at_most_100(self, account: Account) -> None:
        for number in range(100):
            account.subscribe("add_lead", destination=f"https://app.example/{number}")
        answer = account.api.post("/webhooks", json={"destination": DESTINATION, "settings": ["add_lead"]})
        assert answer.status_code == 400

    def test_others_than_administrators_get_401(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        assert account.client(account.world.add_token("hers", anna.id)).get("/webhooks").status_code == 401

    def delete(self, account: Account, destination: str) -> httpx.Response:
        return account.api.request("DELETE", "/webhooks", json={"destination": destination})
