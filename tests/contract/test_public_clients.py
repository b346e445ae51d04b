"""The simulator judged by a client that others wrote: amocrm-api-wrapper, over a real port of this machine.

Two judges in one: the client must get along with the simulator, and the answers that its docstrings copy from amoCRM's
pages must have no key that ours lack.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
import pytest
from amocrm_api import AmoOAuthClient
from amocrm_api.errors import AmoException

from infra.local.amocrm_simulator.app import create_app
from infra.local.amocrm_simulator.authorisation import add_integration, exchange
from infra.local.amocrm_simulator.messengers import Messenger
from infra.local.amocrm_simulator.people import Person
from infra.local.amocrm_simulator.switches import Switches
from infra.local.amocrm_simulator.world import World
from infra.local.servers import Server
from tests.contract.amocrm_account import form_item, phone_values
from tests.fakes import ManualClock


class BodiesWithGet(httpx.Client):
    """The client passes `json=` to every method; httpx's own `get` and `delete` do not take it."""

    def get(self, url: Any, *, json: Any = None, **options: Any) -> httpx.Response:
        return self.request("GET", url, json=json, **options)

    def delete(self, url: Any, *, json: Any = None, **options: Any) -> httpx.Response:
        return self.request("DELETE", url, json=json, **options)


class Client(AmoOAuthClient):  # type: ignore[misc]
    """The client as published, with a session that lets its requests out and no long sleeps."""

    max_retries = 1
    retry_sleep_base = retry_sleep_429 = 0.0

    def _init_session(self, params: dict[str, str] | None = None) -> httpx.Client:
        headers = {**self._auth_headers(), **(params or {})}
        return BodiesWithGet(timeout=self.timeout, headers=headers, trust_env=False)

    def update_session_params(self, params: dict[str, str]) -> None:
        self.close()  # the client forgets the old session without closing it
        super().update_session_params(params)


class Door:
    """One port for all tests; behind it stands the account of the running one."""

    def __init__(self) -> None:
        self.behind: Served | None = None
        self.server = Server("amoCRM", self, 0)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        assert self.behind is not None
        self.behind.clock.advance(0.2)
        return self.behind.app.wsgi_app(environ, start_response)


class Served:
    """An account behind the door. Its time is virtual: every request comes 0.2 s after the one before."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = ManualClock()
        self.world = World(self.clock, switches=Switches(batch_504_share=0.0))
        self.app = create_app(self.world)
        self.main = self.world.main_pipeline
        self.app_on_amo = add_integration(self.world, "wrapper", self.world.admin.id)
        first = exchange(
            self.world, {**self.secrets(), "grant_type": "authorization_code", "code": self.app_on_amo.code}
        )
        tokens = {name: first[name] for name in ("access_token", "refresh_token")}
        self.client = Client(**tokens, crm_url=url, **self.secrets())

    def secrets(self) -> dict[str, Any]:
        app = self.app_on_amo
        return {"client_id": app.client_id, "client_secret": app.client_secret, "redirect_uri": app.redirect_uri}


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    door = Door()
    with door.server:
        yield door


@pytest.fixture
def served(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # refreshing goes past the session
    served = door.behind = Served(door.server.url)
    yield served
    served.client.close()


@pytest.fixture
def client(served: Served) -> Client:
    return served.client


def made(answer: dict[str, Any], key: str) -> list[int]:
    return [row["id"] for row in answer["_embedded"][key]]


def documented(method: Any) -> Any:
    """The answer that a docstring shows, repaired where it is no JSON."""
    text = inspect.getdoc(method) or ""
    example = text[text.index("{", text.index("Returns:")) :]
    example = re.sub(r'"href": https', '"href": "https', example)
    example = re.sub(r",(\s*[}\]])", r"\1", example)
    example = re.sub(r",\s*\.\.\.", "", example)
    parsed, _ = json.JSONDecoder().raw_decode(example)
    return parsed


def lacking(shown: Any, ours: Any, path: str = "") -> list[str]:
    """Keys of a documented answer that ours does not have, and values of another type."""
    if isinstance(shown, dict) and isinstance(ours, dict):
        gone = [f"{path}.{key}" for key in shown if key not in ours and key != "next"]
        return gone + [lack for key in shown if key in ours for lack in lacking(shown[key], ours[key], f"{path}.{key}")]
    if isinstance(shown, list) and isinstance(ours, list):
        return lacking(shown[0], ours[0], f"{path}.0") if shown and ours else []
    both = shown is not None and ours is not None
    return [f"{path}: {type(ours).__name__}"] if both and type(shown) is not type(ours) else []


class TestLeads:
    def test_create_read_change_and_page(self, client: Client) -> None:
        answer = client.create_leads([{"name": "A", "price": 5}, {"name": "B"}])
        assert lacking(documented(client.create_leads), answer) == []
        first, second = made(answer, "leads")
        changed = client.update_leads([{"id": first, "status_id": 142}])
        assert lacking(documented(client.update_leads), changed) == []
        everything = ["contacts", "loss_reason", "catalog_elements", "is_price_modified_by_robot", "source_id"]
        lead = client.get_lead(first, with_params=everything)
        assert lacking(documented(client.get_lead), lead) == []
        assert (lead["status_id"], lead["price"]) == (142, 5)
        listed = client.get_leads(limit=1, page=2, order={"id": "asc"})
        assert lacking(documented(client.get_leads), listed) == []
        assert made(listed, "leads") == [second]
        assert [row["id"] for row in client.iter_leads(limit=1)] == [first, second]
        assert made(client.get_leads(filter_ids=[second]), "leads") == [second]
        assert client.get_lead(1) == {}

    def test_complex_answers_with_an_array_whatever_the_docstring_says(self, client: Client) -> None:
        body = {"name": "A", "_embedded": {"contacts": [{"first_name": "Иван", **phone_values("+79990000001")}]}}
        answer: Any = client.create_leads_complex([body])
        assert isinstance(answer, list)
        assert answer[0]["merged"] is False

    def test_what_is_refused_reaches_the_caller(self, client: Client, served: Served) -> None:
        stage = served.main.unsorted
        assert stage is not None
        with pytest.raises(AmoException) as refused:
            client.create_leads([{"status_id": stage.id}])
        assert refused.value.code == 400
        assert refused.value.error_data["validation-errors"][0]["errors"][0]["code"] == "NotSupportedChoice"

    def test_links(self, client: Client) -> None:
        (lead_id,) = made(client.create_leads([{}]), "leads")
        (contact_id,) = made(client.create_contacts([{"name": "Анна"}]), "contacts")
        target = [{"to_entity_id": contact_id, "to_entity_type": "contacts"}]
        assert client.link_leads_entity(lead_id, target)["_total_items"] == 1
        links = client.get_contacts_links(contact_id)["_embedded"]["links"]
        assert [row["to_entity_id"] for row in links] == [lead_id]
        assert client.unlink_leads_entity(lead_id, target) == {}
        assert client.get_leads_links(lead_id) == {}

    def test_tags_and_loss_reasons(self, client: Client) -> None:
        tags = client.add_tags_for_entity_type("leads", [{"name": "сайт"}])
        assert lacking(documented(client.add_tags_for_entity_type), tags) == []
        listed = client.get_tags_by_entity_type("leads", filters={"name": "сайт"})
        assert lacking(documented(client.get_tags_by_entity_type), listed) == []
        reason = client.create_loss_reasons([{"name": "Дорого"}])["_embedded"]["loss_reasons"][0]
        assert client.get_loss_reason(reason["id"])["name"] == "Дорого"
        client.update_loss_reasons([{"id": reason["id"], "name": "Очень дорого"}])
        assert [row["name"] for row in client.get_loss_reasons()["_embedded"]["loss_reasons"]] == ["Очень дорого"]
        assert client.delete_loss_reason(reason["id"]) == {}


class TestUnsorted:
    def new(self, client: Client, **names: Any) -> dict[str, Any]:
        item = form_item()
        answer = client.create_unsorted_by_form(
            source_uid=names.get("uid", "site"),
            source_name="Сайт",
            metadata=item["metadata"],
            contact=item["_embedded"]["contacts"][0],
            lead=item["_embedded"]["leads"][0],
            company={},
        )
        assert lacking(documented(client._create_unsorted), answer) == []
        new: dict[str, Any] = answer["_embedded"]["unsorted"][0]
        return new

    def test_create_read_accept_decline_and_summary(self, client: Client, served: Served) -> None:
        first, second = self.new(client, uid="1"), self.new(client, uid="2")
        shown = client.get_unsorted_by_uid(first["uid"])
        assert lacking(documented(client.get_unsorted_by_uid), shown) == [
            # Not sent with this form, so there is nothing to show.
            ".metadata.visitor_uid",
            ".metadata.form_sent_at: int",
        ]
        listed = client.get_unsorted_leads(filter_by_uids=[first["uid"], second["uid"]], order_by={"created_at": "asc"})
        assert [row["uid"] for row in listed["_embedded"]["unsorted"]] == [first["uid"], second["uid"]]
        accepted = client.accept_unsorted(first["uid"], served.world.admin.id, served.main.entry.id)
        assert lacking(documented(client.accept_unsorted), accepted) == []
        declined = client.decline_unsorted(second["uid"], served.world.admin.id)
        assert lacking(documented(client.decline_unsorted), declined) == []
        summary = client.get_summary_unsorted()
        assert lacking(documented(client.get_summary_unsorted), summary) == []
        assert (summary["accepted"], summary["declined"]) == (1, 1)
        with pytest.raises(AmoException) as gone:
            client.accept_unsorted(first["uid"])
        assert gone.value.code == 404

    def test_calls(self, client: Client) -> None:
        metadata = {"phone": "+79990000001", "called_at": 1, "duration": 30, "service_code": "pbx", "link": None}
        answer = client.create_unsorted_by_sip("pbx", "АТС", metadata, {"name": "Звонок"}, {"name": "Звонок"}, {})
        assert answer["_total_items"] == 1
        listed = client.get_unsorted_leads(filter_by_category="sip")
        assert listed["_embedded"]["unsorted"][0]["category"] == "sip"

    def test_a_chat_is_linked(self, client: Client, served: Served) -> None:
        item = Messenger(served.world).writes("Привет")
        (lead_id,) = made(client.create_leads([{}]), "leads")
        linked = client.link_unsorted(item.uid, {"entity_id": lead_id, "entity_type": "leads"})
        assert lacking(documented(client.link_unsorted), linked) == []


class TestPipelines:
    def test_create_read_change_and_delete(self, client: Client) -> None:
        stages = [{"name": "Новая", "sort": 10, "color": "#fffeb2"}]
        pipeline = client.create_pipeline("Продажи", 10, False, stages, True)["_embedded"]["pipelines"][0]
        assert lacking(documented(client.get_pipelines), client.get_pipelines()) == []
        assert lacking(documented(client.get_pipeline), client.get_pipeline(pipeline["id"])) == []
        edited = client.edit_pipeline(pipeline["id"], "Иначе", 10, False, True)
        assert edited["name"] == "Иначе"
        added = client.add_statuses_to_pipeline(pipeline["id"], [{"name": "Замер", "sort": 20, "color": "#fffeb2"}])
        assert lacking(documented(client.add_statuses_to_pipeline), added) == []
        (status_id,) = made(added, "statuses")
        changed = client.edit_pipeline_status(pipeline["id"], status_id, "Договор", 30, "#c1e0ff")
        assert lacking(documented(client.edit_pipeline_status), changed) == []
        shown = client.get_pipeline_status(pipeline["id"], status_id)
        assert lacking(documented(client.get_pipeline_status), shown) == []
        assert client.delete_status_from_pipeline(pipeline["id"], status_id) == {}
        assert client.delete_pipeline(pipeline["id"]) == {}
        with pytest.raises(AmoException) as gone:
            client.get_pipeline(pipeline["id"])
        assert gone.value.code == 404

    def test_a_list_of_stages_has_stages_whatever_the_docstring_says(self, client: Client, served: Served) -> None:
        listed = client.get_pipeline_statuses(served.main.id)
        assert made(listed, "statuses") == [status.id for status in served.main.statuses]


class TestPeopleAndTheirThings:
    def test_contacts(self, client: Client) -> None:
        answer = client.create_contacts([{"name": "Анна", **phone_values("+7 999 555-11-22")}, {"name": "Борис"}])
        first, second = made(answer, "contacts")
        changed = client.update_contacts([{"id": second, "name": "Борис Ким"}])
        assert lacking(documented(client.update_contacts), changed) == []
        assert made(client.get_contacts(query="9995551122"), "contacts") == [first]
        listed = client.get_contacts(limit=1, with_params=["leads"])
        assert lacking(documented(client.get_contacts), listed) == []
        contact = client.get_contact(first)
        only_with = [f"._embedded.{key}" for key in ("leads", "customers", "catalog_elements")]
        # On writing and on later pages the code of an enum is called enum_code.
        assert lacking(documented(client.get_contact), contact) == [
            ".custom_fields_values.0.values.0.enum",
            *only_with,
        ]
        assert client.get_contact(1) == {}

    def test_companies(self, client: Client) -> None:
        (company_id,) = made(client.create_companies([{"name": "ООО Окна"}]), "companies")
        listed = client.get_companies()
        assert lacking(documented(client.get_companies), listed) == []
        assert client.get_company(company_id)["name"] == "ООО Окна"

    def test_users_and_account(self, client: Client, served: Served) -> None:
        body = {"name": "Анна", "email": "anna@demo.example", "password": "secret"}
        client.add_users([body])
        users = client.get_users(with_role=True, with_group=True)
        assert lacking(documented(client.get_users), users) == []
        assert users["_total_items"] == 2
        assert lacking(documented(client.get_user), client.get_user(served.world.admin.id)) == []
        flags = dict.fromkeys(inspect.signature(client.get_account_info).parameters, True)
        account = client.get_account_info(**flags)
        shown = documented(client.get_account_info)
        shown.pop("uuid")  # the client cannot ask for it
        # Cases and other languages are not imitated.
        shown["_embedded"]["entity_names"] = {"leads": {"ru": {"singular_form": {"default": "клиент"}}}}
        assert lacking(shown, account) == []

    def test_tasks(self, client: Client) -> None:
        (lead_id,) = made(client.create_leads([{}]), "leads")
        task = {"text": "Позвонить", "complete_till": 2000000000, "entity_id": lead_id, "entity_type": "leads"}
        first, second = made(client.add_tasks([task, {**task, "task_type_id": 2}]), "tasks")
        client.update_tasks([{"id": second, "text": "Встретиться"}])
        assert client.execution_task(first, True, "Дозвонились")["id"] == first
        assert lacking(documented(client.get_task), client.get_task(first)) == []
        listed = client.get_tasks(filters={"is_completed": 0, "task_type": [2]}, order={"complete_till": "asc"})
        assert lacking(documented(client.get_tasks), listed) == []
        assert made(listed, "tasks") == [second]
        assert [row["id"] for row in client.iter_tasks(limit=1)] == [first, second]

    def test_notes(self, client: Client) -> None:
        (lead_id,) = made(client.create_leads([{}]), "leads")
        note = {"entity_id": lead_id, "note_type": "common", "params": {"text": "Почему"}}
        answer = client.create_entity_note("leads", [note, note])
        assert lacking(documented(client.create_entity_note), answer) == []
        first, second = made(answer, "notes")
        changed = client.update_entity_note(
            "leads", lead_id, first, {"note_type": "common", "params": {"text": "Иначе"}}
        )
        assert lacking(documented(client.update_entity_note), changed) == []
        client.update_entity_many_notes("leads", [{"id": second, "params": {"text": "И так"}}])
        assert lacking(documented(client.get_entity_note), client.get_entity_note("leads", first, lead_id)) == []
        listed = client.get_notes_by_entity_type("leads", filter_by_entity_id=[lead_id], filter_by_note_type="common")
        assert lacking(documented(client.get_notes_by_entity_type), listed) == []
        assert [row["params"]["text"] for row in listed["_embedded"]["notes"]] == ["Иначе", "И так"]
        assert made(client.get_notes_by_entity_type_and_entity_id("leads", lead_id, limit=1, page=2), "notes") == [
            second
        ]

    def test_custom_fields(self, client: Client) -> None:
        body = {"name": "Тип", "type": "multiselect", "enums": [{"value": "A", "sort": 1}, {"value": "B", "sort": 2}]}
        answer = client.create_leads_custom_fields([body])
        (field_id,) = made(answer, "custom_fields")
        assert client.get_leads_custom_field(field_id)["enums"][0]["value"] == "A"
        phone = next(
            row for row in client.get_contacts_custom_fields()["_embedded"]["custom_fields"] if row["code"] == "PHONE"
        )
        shown = client.get_contacts_custom_field(phone["id"])
        assert lacking(documented(client._get_custom_field_by_entity_type), shown) == []
        assert client.delete_leads_custom_field(field_id) == {}

    def test_events(self, client: Client, served: Served) -> None:
        (lead_id,) = made(client.create_leads([{}]), "leads")
        Person(served.world).write_note(lead_id, "Почему")
        listed = client.get_events(filter_by_entity=["lead"], filter_by_entity_id=[lead_id])
        assert lacking(documented(client.get_events), listed) == []
        assert [row["type"] for row in listed["_embedded"]["events"]] == ["common_note_added", "lead_added"]
        event = client.get_event(listed["_embedded"]["events"][0]["id"])
        assert event["value_after"][0]["note"]["id"] > 0
        assert lacking(documented(client.get_events_type), client.get_events_type("ru")) == []
        with pytest.raises(AmoException) as refused:
            client.get_events(limit=250)
        assert refused.value.code == 422

    def test_webhooks(self, client: Client) -> None:
        url = "https://app.example/hooks/secret"
        subscribed = client.subscribe_webhook(url, ["add_lead"])
        assert lacking(documented(client.subscribe_webhook), subscribed) == []
        assert lacking(documented(client.get_webhooks), client.get_webhooks(url)) == []
        assert client.get_webhooks("https://app.example/other") == {}
        assert client.unsubscribe_webhook(url) == {}
        with pytest.raises(AmoException) as gone:
            client.unsubscribe_webhook(url)
        assert gone.value.code == 404

    def test_sources(self, client: Client) -> None:
        (source_id,) = made(client.create_sources([{"name": "Бот", "external_id": "bot"}]), "sources")
        assert client.get_source(source_id)["external_id"] == "bot"
        assert made(client.get_sources(filter_by_external_id="bot"), "sources") == [source_id]


class TestTokensAndLimits:
    def test_the_client_refreshes_its_pair_when_the_access_token_has_expired(
        self, client: Client, served: Served
    ) -> None:
        before = client.tokens
        served.clock.advance(86400)
        assert client.get_account_info()["subdomain"] == "demo"
        assert client.tokens["refresh_token"] != before["refresh_token"]
        assert client.tokens["access_token"] != before["access_token"]

    def test_a_stolen_pair_is_useless_after_the_owner_refreshed(self, client: Client, served: Served) -> None:
        thief = Client(**client.tokens, crm_url=served.url, **served.secrets())
        served.clock.advance(86400)
        client.get_account_info()
        with pytest.raises(AmoException) as refused:
            thief.get_account_info()
        assert (refused.value.code, refused.value.error_data["hint"]) == (401, "Token has been revoked")
        thief.close()

    def test_the_client_gives_up_on_429_and_understands_the_block(self, client: Client, served: Served) -> None:
        served.world.switch(storm=True)
        with pytest.raises(AmoException) as limited:
            client.get_leads()
        assert limited.value.code == 429
        served.world.switch(storm=False)
        served.world.limiter.blocked = True
        with pytest.raises(AmoException):
            client.get_leads()
        served.world.unblock()
        assert client.get_leads() == {}
