"""Writes to leads: owner, place and content, creation, and what hangs on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from functions.shared.adapters.amocrm import payloads, standing
from functions.shared.adapters.amocrm.answers import Json
from functions.shared.adapters.amocrm.client import AmoCrmClient
from functions.shared.adapters.amocrm.reader import Reader
from functions.shared.adapters.amocrm.writing import CLOCK_DIFFERENCE, BatchWriter, Kind, rounds
from functions.shared.crm import BatchResult, Lead, LeadChange, Link, NewLead, OwnerChange
from functions.shared.errors import AmbiguousWrite, AmoCrmRefused, ConveyorError


class LeadWriter:
    def __init__(self, client: AmoCrmClient, reader: Reader, writer: BatchWriter) -> None:
        self._client = client
        self._reader = reader
        self._writer = writer

    def change_owners(self, changes: Sequence[OwnerChange]) -> BatchResult:
        """The same PATCH may go out a second time after an ambiguous answer: it sets a value and creates nothing.

        Of several changes of one lead the last counts.
        """
        kind = Kind("PATCH", "leads", "leads", payloads.owner, self._owned, repeats=1)
        last = list({change.lead_id: change for change in changes}.values())
        return self._writer.write(kind, last).by(lambda change: change.lead_id)

    def change_leads(self, changes: Sequence[LeadChange]) -> BatchResult:
        """Repeats as `change_owners` does. Several changes of one lead are written one after the other, in order."""
        kind = Kind("PATCH", "leads", "leads", payloads.lead_change, self._changed, repeats=1)
        batches = rounds(changes, lambda change: change.lead_id)
        return self._writer.write_all(kind, batches).by(lambda change: change.lead_id)

    def add_lead(self, lead: NewLead) -> int:
        """After an ambiguous answer we look for the copy, and if there is none, try once more.

        Raises AmoCrmRefused, AmbiguousWrite if it cannot be found out whether the lead exists.
        """
        return self._delivered(lead, self._client.clock.now() - CLOCK_DIFFERENCE, repeats=1)

    def link(self, links: Sequence[Link]) -> None:
        """One bad link does not hold up the others. Linking twice changes nothing, so links may go out again."""
        kind = Kind("POST", "leads/link", "links", payloads.link, self._linked, repeats=1, is_itemised=False)
        refused = self._writer.write(kind, list(dict.fromkeys(links))).refused
        if refused:
            raise _refusal(kind.path, refused)

    def unlink(self, links: Sequence[Link]) -> None:
        """What amoCRM refuses because lead or contact are gone does not hang there any more, and is no error."""
        kind = Kind("POST", "leads/unlink", "links", payloads.link, self._unlinked, repeats=1, is_itemised=False)
        refused = self._writer.write(kind, list(dict.fromkeys(links))).refused
        gone = self._unlinked([link for link, _ in refused]) if refused else []
        left = [(link, reason) for link, reason in refused if link not in gone]
        if left:
            raise _refusal(kind.path, left)

    def _delivered(self, lead: NewLead, since: datetime, repeats: int) -> int:
        try:
            return self._created(lead)
        except AmbiguousWrite as unclear:
            copy = self._copy(lead, since, unclear)
            if copy is None and not repeats:
                raise
        return copy.id if copy else self._delivered(lead, since, repeats - 1)

    def _created(self, lead: NewLead) -> int:
        answer: Json = self._client.write("POST", "leads", [payloads.new_lead(lead) | {"request_id": "0"}])
        rows = ((answer or {}).get("_embedded") or {}).get("leads") or []
        if not rows:
            raise AmbiguousWrite("POST /api/v4/leads: a success that names no lead")
        return int(rows[0]["id"])

    def _copy(self, lead: NewLead, since: datetime, unclear: AmbiguousWrite) -> Lead | None:
        self._client.clock.sleep(self._client.config.settle)
        try:
            copies = self._reader.copies_of(lead.origin, lead.pipeline_id, since)
        except ConveyorError as blind:
            raise AmbiguousWrite(f"{unclear}; and its effect cannot be read") from blind
        return copies[0] if copies else None

    def _owned(self, changes: Sequence[OwnerChange]) -> list[OwnerChange]:
        leads = self._reader.leads([change.lead_id for change in changes])
        owners = {lead_id: lead.responsible_user_id for lead_id, lead in leads.items()}
        return [change for change in changes if owners.get(change.lead_id) == change.responsible_user_id]

    def _changed(self, changes: Sequence[LeadChange]) -> list[LeadChange]:
        leads = self._reader.leads([change.lead_id for change in changes])
        there = ((change, leads.get(change.lead_id)) for change in changes)
        return [change for change, lead in there if lead is not None and standing.is_changed(change, lead)]

    def _linked(self, links: Sequence[Link]) -> list[Link]:
        leads = self._reader.leads({link.lead_id for link in links})
        return [link for link in links if standing.is_linked(link, leads.get(link.lead_id))]

    def _unlinked(self, links: Sequence[Link]) -> list[Link]:
        hanging = self._linked(links)
        return [link for link in links if link not in hanging]


def _refusal(path: str, refused: Sequence[tuple[Link, str]]) -> AmoCrmRefused:
    named = "; ".join(f"{link.kind} {link.to_id} of lead {link.lead_id}: {reason}" for link, reason in refused)
    return AmoCrmRefused(f"POST /api/v4/{path}: {named}", 400)
