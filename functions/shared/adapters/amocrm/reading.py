"""amoCRM's JSON → the dataclasses of functions.shared.crm, forgiving where amoCRM is not consistent.

`null`, a missing key and an empty list mean the same in many places (amoCRM API: quirks).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from functions.shared.adapters.amocrm.answers import Json
from functions.shared.crm import Account, Contact, FieldValue, Lead, Note, StageChange, Task, UnsortedItem, User


def lead(row: Json) -> Lead:
    return Lead(
        id=int(row["id"]),
        pipeline_id=int(row.get("pipeline_id") or 0),
        status_id=int(row.get("status_id") or 0),
        responsible_user_id=int(row.get("responsible_user_id") or 0),
        created_at=moment(row.get("created_at")),
        updated_at=moment(row.get("updated_at")),
        source_id=row.get("source_id"),
        tags=tuple(tag["name"] for tag in _embedded(row, "tags")),
        contacts=tuple(_main_first(row)),
        created_by=int(row.get("created_by") or 0),
        is_deleted=bool(row.get("is_deleted")),
        name=str(row.get("name") or ""),
        price=int(row.get("price") or 0),
        company=next((int(linked["id"]) for linked in _embedded(row, "companies")), 0),
        loss_reason_id=row.get("loss_reason_id"),
        fields=tuple(_fields(row)),
    )


def contact(row: Json) -> Contact:
    return Contact(
        id=int(row["id"]),
        responsible_user_id=int(row.get("responsible_user_id") or 0),
        created_at=moment(row.get("created_at")),
        leads=tuple(int(linked["id"]) for linked in _embedded(row, "leads")),
        name=str(row.get("name") or ""),
        phones=tuple(_values_of(row, "PHONE")),
        emails=tuple(_values_of(row, "EMAIL")),
        fields=tuple(_fields(row)),
        updated_at=moment(row.get("updated_at")),
    )


def unsorted_item(row: Json) -> UnsortedItem:
    """Every item has exactly one lead; should one come without, `lead_id` is 0, which no lead has."""
    metadata = row.get("metadata") or {}
    return UnsortedItem(
        uid=str(row["uid"]),
        lead_id=next((int(lead["id"]) for lead in _embedded(row, "leads")), 0),
        pipeline_id=int(row.get("pipeline_id") or 0),
        category=str(row.get("category") or ""),
        service=str(metadata.get("service") or ""),
        source_name=str(row.get("source_name") or metadata.get("source_name") or ""),
        source_uid=str(row.get("source_uid") or ""),
    )


def user(row: Json) -> User:
    rights = row.get("rights") or {}
    leads = rights.get("leads") or {}
    return User(
        id=int(row["id"]),
        name=str(row.get("name") or ""),
        email=str(row.get("email") or ""),
        is_active=bool(rights.get("is_active", True)),
        is_admin=bool(rights.get("is_admin")),
        # "D" is denied; the other letters only say whose leads (amoCRM API: users).
        may_edit_leads=bool(rights.get("is_admin")) or leads.get("edit") != "D",
    )


def account(row: Json) -> Account:
    settings = (row.get("_embedded") or {}).get("datetime_settings") or {}
    return Account(
        id=int(row["id"]),
        subdomain=str(row["subdomain"]),
        current_user_id=int(row.get("current_user_id") or 0),
        timezone=str(settings.get("timezone") or "UTC"),
    )


def task(row: Json) -> Task:
    """`result` is an empty list until there is one (amoCRM API: tasks)."""
    result, entity = row.get("result"), int(row.get("entity_id") or 0)
    return Task(
        id=int(row["id"]),
        lead_id=entity if row.get("entity_type") == "leads" else 0,
        responsible_user_id=int(row.get("responsible_user_id") or 0),
        text=str(row.get("text") or ""),
        created_at=moment(row.get("created_at")),
        complete_till=moment(row.get("complete_till")),
        is_completed=bool(row.get("is_completed")),
        task_type_id=int(row.get("task_type_id") or 0),
        result=str(result.get("text") or "") if isinstance(result, dict) else "",
        contact_id=entity if row.get("entity_type") == "contacts" else 0,
        updated_at=moment(row["updated_at"]) if row.get("updated_at") else None,
        updated_by=int(row.get("updated_by") or 0),
        duration=int(row.get("duration") or 0),
    )


def contact_note(row: Json) -> Note:
    """A row of contacts/notes."""
    read = note(row)
    return replace(read, lead_id=0, contact_id=read.lead_id)


def note(row: Json) -> Note:
    """A note of a lead, of any type; those without a text (calls, files) have an empty one."""
    sent = row.get("params")
    params = sent if isinstance(sent, dict) else {}
    return Note(
        id=int(row["id"]),
        lead_id=int(row["entity_id"]),
        text=str(params.get("text") or ""),
        created_at=moment(row.get("created_at")),
        kind=str(row.get("note_type") or ""),
        params=params,
        created_by=int(row.get("created_by") or 0),
    )


def stage_change(row: Json) -> StageChange | None:
    """An event `lead_status_changed` (amoCRM API: events); None if it does not tell both places."""
    before, after = (_place(row.get(key)) for key in ("value_before", "value_after"))
    if before is None or after is None:
        return None
    by = int(row.get("created_by") or 0)
    return StageChange(int(row["entity_id"]), before, after, by, moment(row.get("created_at")))


def stages(pipeline: Json) -> list[int]:
    """Ids of all stages of a pipeline, «Неразобранное» and the two closing ones included."""
    return [int(stage["id"]) for stage in _embedded(pipeline, "statuses")]


def moment(seconds: int | None) -> datetime:
    return datetime.fromtimestamp(seconds or 0, UTC)


def _embedded(row: Json, key: str) -> list[Json]:
    return (row.get("_embedded") or {}).get(key) or []


def _main_first(row: Json) -> Iterator[int]:
    linked = _embedded(row, "contacts")
    yield from (int(each["id"]) for each in linked if each.get("is_main"))
    yield from (int(each["id"]) for each in linked if not each.get("is_main"))


def _fields(row: Json) -> Iterator[FieldValue]:
    """The custom fields that hold something."""
    for filled in row.get("custom_fields_values") or []:
        values = tuple(filled.get("values") or ())
        if values:
            kind, name, code = (str(filled.get(f"field_{key}") or "") for key in ("type", "name", "code"))
            yield FieldValue(int(filled["field_id"]), name, kind, values, code)


def _values_of(row: Json, code: str) -> Iterator[str]:
    """What stands in a predefined field, as it was typed."""
    yield from (
        str(value["value"])
        for filled in _fields(row)
        if filled.code == code
        for value in filled.values
        if value.get("value")
    )


def _place(values: Json) -> tuple[int, int] | None:
    """(pipeline id, status id)"""
    for value in values if isinstance(values, list) else []:
        status = value.get("lead_status") or {}
        if status.get("pipeline_id") and status.get("id"):
            return int(status["pipeline_id"]), int(status["id"])
    return None
