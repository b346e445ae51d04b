"""Merging and undoing through the real adapter, on the simulated account: what amoCRM makes of our writes."""

from __future__ import annotations

from typing import Any

import pytest

from functions.qualify_router.merger import MergeOrder, Merger
from functions.qualify_router.undoing import Undoing
from functions.shared.adapters.dynamodb.merges import Merges
from functions.shared.crm import LOST
from functions.shared.department import EXCHANGE, MAIN, Pipeline
from functions.shared.identity import Likeness
from functions.shared.merge import State
from tests.builders import make_department
from tests.contract.amocrm_firms import SimulatedFirm
from tests.fakes import MemoryTelemetry
from tests.memory_table import MemoryTable

BASE_URL = "https://demo.amocrm.ru"
FIELDS: dict[str, Any] = {
    "text": "3 окна",
    "textarea": "Дом\nу реки",
    "numeric": 42,
    "checkbox": True,
    "url": "https://firm.example",
    "date": 1795381200,
    "date_time": 1795417200,
    "streetaddress": "Охотный ряд, 1",
    "legal_entity": {"name": "ООО", "vat_id": "77"},
    "tracking_data": "google",
}
CHOICES = {"select": 1, "multiselect": 2, "radiobutton": 1}
NOTES: list[tuple[str, dict[str, Any]]] = [
    ("common", {"text": "Хочет скидку"}),
    ("call_in", {"uniq": "8f52", "duration": 60, "source": "pbx", "phone": "+79990000001", "link": "https://rec/1"}),
    ("sms_out", {"text": "Ждём вас", "phone": "+79990000001"}),
    ("service_message", {"service": "Квиз", "text": "3 окна"}),
    ("geolocation", {"text": "Дом", "address": "Охотный ряд", "longitude": "53.7", "latitude": "91.4"}),
    ("attachment", {"file_uuid": "f1", "version_uuid": "v1", "file_name": "Смета.pdf"}),
    ("amomail_message", {"subject": "Окна"}),
]


class Place:
    """A simulated firm with an exchange and a main pipeline, and whoever merges in it."""

    def __init__(self) -> None:
        self.firm = firm = SimulatedFirm()
        pipelines = (
            Pipeline(
                EXCHANGE, firm.pipeline, "Биржа", firm.first_stage, firm.unsorted_stage, {"new": firm.first_stage}
            ),
            Pipeline(
                MAIN, firm.other_pipeline, "Основная", firm.other_first_stage, None, {"a": firm.other_first_stage}
            ),
        )
        reasons = {"duplicate": firm.loss_reason("Дубль")}
        self.department = make_department(pipelines=pipelines, loss_reasons=reasons)
        self.merges = Merges(MemoryTable())
        tools: dict[str, Any] = {"amocrm": firm.amocrm, "merges": self.merges, "clock": firm.clock}
        self.merger = Merger(**tools, telemetry=MemoryTelemetry(), base_url=BASE_URL)
        self.undoing = Undoing(**tools, base_url=BASE_URL)
        self.people = [firm.user(), firm.user()]
        self.client = firm.contact(self.people[0])

    def make(self, path: str, key: str, body: dict[str, Any]) -> int:
        (row,) = self.firm.wire.client.write("POST", path, [body])["_embedded"][key]
        return int(row["id"])

    def lead(self, number: int = 0, **embedded: Any) -> int:
        """A lead of the exchange (1) or of main (0)."""
        firm = self.firm
        pipeline = (firm.other_pipeline, firm.other_first_stage) if not number else (firm.pipeline, firm.first_stage)
        body = {"pipeline_id": pipeline[0], "status_id": pipeline[1], "responsible_user_id": self.people[number]}
        return self.make("leads", "leads", body | embedded)

    def fields(self) -> list[dict[str, Any]]:
        """Custom fields of every type, and a value for each."""
        filled = []
        for kind, value in FIELDS.items():
            field_id, _ = self.firm.field(kind, kind)
            filled.append({"field_id": field_id, "values": [{"value": value}]})
        for kind, count in CHOICES.items():
            field_id, enums = self.firm.field(kind, kind, "а", "б", "в")
            filled.append(
                {"field_id": field_id, "values": [{"enum_id": each} for each in list(enums.values())[:count]]}
            )
        return filled

    def order(self, duplicate: int, survivor: int) -> MergeOrder:
        leads = self.firm.amocrm.leads([duplicate, survivor])
        return MergeOrder(leads[duplicate], leads[survivor], Likeness.SAME_CONTACT, f"{duplicate}#1")

    def requests(self) -> int:
        return len(self.firm.wire.budget.granted)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.mark.parametrize("lag", [0, 5])
def test_everything_goes_over_and_comes_back(place, lag):
    """GIVEN all types of fields and notes, lists that lag WHEN merged and undone THEN nothing is missing or left."""
    firm, amocrm = place.firm, place.firm.amocrm
    wife, company = firm.contact(place.people[0]), firm.company()
    survivor = place.lead(_embedded={"contacts": [{"id": place.client}], "tags": [{"name": "VIP"}]})
    duplicate = place.lead(
        1,
        price=7000,
        custom_fields_values=place.fields(),
        _embedded={
            "contacts": [{"id": place.client}, {"id": wife}],
            "companies": [{"id": company}],
            "tags": [{"name": "сайт"}, {"name": "VIP"}],
        },
    )
    for kind, params in NOTES:
        place.make("leads/notes", "notes", {"entity_id": duplicate, "note_type": kind, "params": params})
    till = int(firm.clock.now().timestamp()) + 3600
    task = {
        "entity_id": duplicate,
        "entity_type": "leads",
        "complete_till": till,
        "responsible_user_id": place.people[1],
    }
    open_task, done_task = (place.make("tasks", "tasks", task | {"text": text}) for text in ("Позвонить", "Смета"))
    firm.completes(done_task, "Отправлена")
    firm.lists_lag(lag)
    firm.clock.advance(10)
    before, original = amocrm.lead(survivor), amocrm.lead(duplicate)

    result = place.merger.merge([place.order(duplicate, survivor)], place.department)

    assert result.merged == {duplicate: survivor}
    firm.clock.advance(10)
    now, gone = amocrm.lead(survivor), amocrm.lead(duplicate)
    assert now.contacts == (place.client, wife)
    assert (now.company, now.price, now.tags) == (company, 7000, ("VIP", "сайт"))
    assert {each.field_id: each.values for each in now.fields} == {f.field_id: f.values for f in original.fields}
    assert (gone.status_id, gone.loss_reason_id) == (LOST, place.department.loss_reasons["duplicate"])
    notes = amocrm.notes_since([survivor], firm.clock.now().replace(year=2000))
    assert sorted(note.kind for note in notes) == sorted(
        ["common", "call_in", "sms_out", "service_message", "geolocation", "attachment", "common", "common"]
    )
    assert any("Смета → Отправлена" in note.text for note in notes)
    tasks = {each.id: each for each in amocrm.tasks_since([survivor, duplicate], firm.clock.now().replace(year=2000))}
    assert (tasks[open_task].lead_id, tasks[open_task].responsible_user_id) == (survivor, place.people[0])

    (merge,) = place.merges.of_lead(duplicate)
    assert place.undoing.undo(merge, place.department).left == []

    firm.clock.advance(10)
    after, back = amocrm.lead(survivor), amocrm.lead(duplicate)
    assert (after.contacts, after.company, after.price, after.tags, after.fields) == (
        before.contacts,
        before.company,
        before.price,
        before.tags,
        before.fields,
    )
    assert (back.pipeline_id, back.status_id, back.responsible_user_id, back.loss_reason_id) == (
        original.pipeline_id,
        original.status_id,
        original.responsible_user_id,
        None,
    )
    tasks = {each.id: each for each in amocrm.tasks_since([survivor, duplicate], firm.clock.now().replace(year=2000))}
    assert (tasks[open_task].lead_id, tasks[open_task].responsible_user_id) == (duplicate, place.people[1])
    assert place.merges.of_lead(duplicate)[0].state is State.UNDONE


def test_the_requests_of_one_merge_and_of_fifty(place):
    firm = place.firm
    client = {"contacts": [{"id": place.client}]}
    survivor = place.lead(_embedded=client)
    crowd = [place.lead(1, _embedded=client | {"tags": [{"name": f"т{number % 5}"}]}) for number in range(51)]
    till = int(firm.clock.now().timestamp()) + 3600
    for each in crowd:
        task = {"entity_id": each, "entity_type": "leads", "complete_till": till, "text": "Позвонить"}
        place.make("tasks", "tasks", task)
        place.make("leads/notes", "notes", {"entity_id": each, "note_type": "common", "params": {"text": "Да"}})
    firm.clock.advance(10)
    alone, *rest = [place.order(each, survivor) for each in crowd]

    started = place.requests()
    assert place.merger.merge([alone], place.department).merged
    assert place.requests() - started == 10  # read: 5; fields, notes, task, place, note on the duplicate

    started = place.requests()  # the day has room for forty-nine more
    assert len(place.merger.merge(rest[:49], place.department).merged) == 49
    assert place.requests() - started <= 12
