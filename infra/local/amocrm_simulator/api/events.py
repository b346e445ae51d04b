"""/events: the feed «История», read only."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from infra.local.amocrm_simulator.api import listing
from infra.local.amocrm_simulator.api.common import links, missing, respond, the_world, with_params
from infra.local.amocrm_simulator.model import Event
from infra.local.amocrm_simulator.world import World

api = Blueprint("events", __name__)

AT_MOST = 100
PLURAL = {"lead": "leads", "contact": "contacts", "company": "companies", "task": "tasks"}
FILTERS: dict[str, listing.Filter[Event]] = {
    "id": listing.among(lambda event: event.id, commas=True),
    "type": listing.among(lambda event: event.type, commas=True),
    "entity": listing.among(lambda event: event.entity_type, commas=True),
    "entity_id": listing.among(lambda event: event.entity_id, commas=True),
    "created_by": listing.among(lambda event: event.created_by, commas=True),
    "created_at": listing.between(lambda event: event.created_at, exact=True),
}
TYPES = {
    "lead_added": "Новая сделка",
    "lead_deleted": "Сделка удалена",
    "lead_restored": "Сделка восстановлена",
    "lead_status_changed": "Изменение этапа продажи",
    "contact_added": "Новый контакт",
    "company_added": "Новая компания",
    "task_added": "Новая задача",
    "task_deleted": "Задача удалена",
    "task_completed": "Завершение задачи",
    "task_type_changed": "Изменение типа задачи",
    "task_text_changed": "Изменение текста задачи",
    "task_deadline_changed": "Изменение даты исполнения задачи",
    "task_result_added": "Результат по задаче",
    "incoming_call": "Входящий звонок",
    "outgoing_call": "Исходящий звонок",
    "incoming_chat_message": "Входящее сообщение",
    "incoming_sms": "Входящее SMS",
    "outgoing_sms": "Исходящее SMS",
    "entity_tag_added": "Теги добавлены",
    "entity_tag_deleted": "Теги убраны",
    "entity_linked": "Прикрепление",
    "entity_unlinked": "Открепление",
    "entity_responsible_changed": "Ответственный изменен",
    "entity_merged": "Выполнено объединение",
    "custom_field_value_changed": "Изменение поля",
    "name_field_changed": "Изменение поля «Название»",
    "sale_field_changed": "Изменение поля «Бюджет»",
    "common_note_added": "Новое примечание",
    "service_note_added": "Новое системное примечание",
    "attachment_note_added": "Добавлен новый файл",
    "geo_note_added": "Новое примечание с гео-меткой",
    "site_visit_note_added": "Заход на сайт",
    "message_to_cashier_note_added": "Сообщение кассиру",
}


@api.get("/events")
def list_events() -> Response:
    """Newest first. A feed that lags behind by seconds shows an event once its whole second lies back so far."""
    world, with_ = the_world(), with_params()
    sent = listing.filters_sent()
    lag = listing.lag(filtered=bool(sent))
    known = (event for event in reversed(world.events) if not lag or event.created_at + 1 <= world.timestamp() - lag)
    found = listing.chosen(known, FILTERS, sent)
    return listing.paged("events", found, lambda event: _shown(world, event, with_), largest=AT_MOST)


@api.get("/events/<event_id>")
def get_event(event_id: str) -> Response:
    world = the_world()
    event = next((event for event in world.events if event.id == event_id), None)
    return missing() if event is None else respond(_shown(world, event, with_params()))


@api.get("/events/types")
def list_types() -> Response:
    shown = [{"key": key, "type": number, "lang": text} for number, (key, text) in enumerate(TYPES.items(), 1)]
    return listing.counted("events_types", "events/types", shown)


def _shown(world: World, event: Event, with_: set[str]) -> dict[str, Any]:
    plural = PLURAL[event.entity_type]
    entity: dict[str, Any] = {"id": event.entity_id, **links(f"{plural}/{event.entity_id}")}
    if f"{event.entity_type}_name" in with_:
        store = world.leads if event.entity_type == "lead" else world.contacts
        named = store.get(event.entity_id)
        entity["name"] = named.name if named else ""
    return {
        "id": event.id,
        "type": event.type,
        "entity_id": event.entity_id,
        "entity_type": event.entity_type,
        "created_by": event.created_by,
        "created_at": event.created_at,
        "value_after": list(event.value_after),
        "value_before": list(event.value_before),
        "account_id": world.account_id,
        **links(f"events/{event.id}"),
        "_embedded": {"entity": entity},
    }
