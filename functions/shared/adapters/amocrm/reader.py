"""What exists in amoCRM: leads, contacts, and the way a lead took."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from functions.shared.adapters.amocrm import reading
from functions.shared.adapters.amocrm.answers import Json
from functions.shared.adapters.amocrm.client import AmoCrmClient, Query
from functions.shared.adapters.amocrm.lists import Lists, Source
from functions.shared.crm import Contact, Lead, StageChange

LEAD_DETAILS = (("with", "contacts,source_id"),)
LEADS = Source("leads", "leads", "id", reading.lead, LEAD_DETAILS)
CONTACT_DETAILS = (("with", "leads"),)
CONTACTS = Source("contacts", "contacts", "id", reading.contact, CONTACT_DETAILS)

MOVED = "lead_status_changed"


class Reader:
    def __init__(self, client: AmoCrmClient, lists: Lists) -> None:
        self._client = client
        self._lists = lists

    def leads(self, ids: Collection[int]) -> dict[int, Lead]:
        found = self._lists.by_id(LEADS, ids)
        return {lead_id: lead for lead_id, lead in found.items() if not lead.is_deleted}

    def lead(self, lead_id: int) -> Lead | None:
        row = self._client.find(f"leads/{lead_id}", LEAD_DETAILS)
        lead = reading.lead(row) if row else None
        return None if lead is None or lead.is_deleted else lead

    def contacts(self, ids: Collection[int]) -> dict[int, Contact]:
        """Contacts of leads that still lie in «Неразобранное» are missing: amoCRM hides them until acceptance."""
        return self._lists.by_id(CONTACTS, ids)

    def contact(self, contact_id: int) -> Contact | None:
        row = self._client.find(f"contacts/{contact_id}", CONTACT_DETAILS)
        return None if not row or row.get("is_deleted") else reading.contact(row)

    def contacts_with(self, text: str) -> list[Contact]:
        """One page: whoever has a thousand namesakes is not found by his name anyway."""
        if not text.strip():
            return []  # amoCRM takes an empty question for none, and answers with everybody
        paging = [("page", 1), ("limit", self._client.config.read_size)]
        body = self._client.get("contacts", [("query", text), *CONTACT_DETAILS, *paging]) or {}
        rows = (body.get("_embedded") or {}).get("contacts") or []
        return [reading.contact(row) for row in rows if not row.get("is_deleted")]

    def copies_of(self, origin: tuple[int, str], pipeline_id: int | None, since: datetime) -> list[Lead]:
        """The field with the origin is compared here: whether amoCRM filters by it depends on the account."""
        created = int(since.timestamp())
        query: Query = [
            *LEAD_DETAILS,
            *([("filter[pipeline_id][]", pipeline_id)] if pipeline_id is not None else []),
            ("filter[created_at][from]", created),
            ("order[id]", "asc"),
        ]

        def belongs(row: Json) -> bool:
            return pipeline_id in (None, row.get("pipeline_id")) and (row.get("created_at") or 0) >= created

        found = {row["id"]: reading.lead(row) for row in self._lists.rows("leads", "leads", query, belongs)}
        return [lead for lead in found.values() if not lead.is_deleted and _comes_from(lead, origin)]

    def stage_changes(self, lead_id: int, since: datetime) -> list[StageChange]:
        started = int(since.timestamp())
        query: Query = [
            ("filter[type]", MOVED),
            ("filter[entity]", "lead"),
            ("filter[entity_id]", lead_id),
            ("filter[created_at][from]", started),
        ]

        def belongs(row: Json) -> bool:
            told = row.get("type"), row.get("entity_type"), row.get("entity_id")
            return told == (MOVED, "lead", lead_id) and (row.get("created_at") or 0) >= started

        size = self._client.config.events_size
        # An event that comes while we read pushes the last one of a page to the next page.
        events = {row["id"]: row for row in self._lists.rows("events", "events", query, belongs, size)}
        newest_first = [change for row in events.values() if (change := reading.stage_change(row))]
        return newest_first[::-1]


def _comes_from(lead: Lead, origin: tuple[int, str]) -> bool:
    field_id, address = origin
    filled = lead.filled(field_id)
    return filled is not None and address.strip() in (str(value.get("value")).strip() for value in filled.values)
