"""Reading again what the hints speak of: leads, their requests in «Неразобранное», the clients behind them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from functions.distribute.triage import in_unsorted
from functions.shared.clock import Clock
from functions.shared.crm import Lead, UnsortedItem
from functions.shared.department import Department
from functions.shared.errors import AmoCrmRefused
from functions.shared.limits import READ_ALONE
from functions.shared.ports import AmoCrm
from functions.shared.twins import Clients, TwinSearch

LAG_WAITS = (2.0, 4.0)
"""Seconds. A new lead may be missing from amoCRM's lists for a moment; what is then still missing is read alone."""

TOKEN_USER_KEPT = timedelta(minutes=10)


class Reader:
    def __init__(self, amocrm: AmoCrm, clock: Clock) -> None:
        self._amocrm = amocrm
        self._clock = clock
        self._token_user = (0, clock.now() - TOKEN_USER_KEPT)

    def token_user(self) -> int:
        """The user whose token we hold, read again now and then: the token may be another one."""
        user, read_at = self._token_user
        if self._clock.now() - read_at >= TOKEN_USER_KEPT:
            user = self._amocrm.account().current_user_id
            self._token_user = (user, self._clock.now())
        return user

    def leads(self, lead_ids: Collection[int]) -> tuple[dict[int, Lead], set[int]]:
        """The leads that exist, and the ids about which nothing can be said yet; all others are gone."""
        if not lead_ids:
            return {}, set()
        found = self._amocrm.leads(lead_ids)
        for wait in LAG_WAITS:
            missing = set(lead_ids) - found.keys()
            if not missing:
                return found, set()
            self._clock.sleep(wait)
            found |= self._amocrm.leads(missing)
        alone, unknown = self.leads_alone(set(lead_ids) - found.keys())
        return found | alone, unknown

    def leads_alone(self, lead_ids: Collection[int]) -> tuple[dict[int, Lead], set[int]]:
        """The same, past the lists, which may show them as they were seconds ago."""
        now, later = sorted(lead_ids)[:READ_ALONE], sorted(lead_ids)[READ_ALONE:]
        read = [self._amocrm.lead(lead_id) for lead_id in now]
        return {lead.id: lead for lead in read if lead}, set(later)

    def items_of(self, uids: Collection[str]) -> list[UnsortedItem]:
        """The items of these uids that are still there. Lists may lag, so some that they lack are read alone."""
        found = self._amocrm.unsorted(uids) if uids else {}
        missing = sorted(set(uids) - found.keys())[:READ_ALONE]
        alone = [self._amocrm.unsorted_item(uid) for uid in missing]
        return [item for item in (*found.values(), *alone) if item is not None and item.lead_id]

    def items(self, uids: Mapping[int, str], leads: Iterable[Lead], department: Department) -> dict[int, UnsortedItem]:
        """The unsorted items by lead id; `uids` are those that the hints named, the others are looked for."""
        unsorted = {lead.id: lead for lead in leads if in_unsorted(lead, department)}
        known = {uid for lead_id, uid in uids.items() if lead_id in unsorted}
        items = self.items_of(known)
        unknown = [lead for lead_id, lead in unsorted.items() if lead_id not in uids]
        for pipeline_id in sorted({lead.pipeline_id for lead in unknown}):
            items += self._amocrm.unsorted_of_pipeline(pipeline_id)
        return {item.lead_id: item for item in items if item.lead_id in unsorted}

    def clients(self, leads: Collection[Lead], country: str, requests: int) -> Clients:
        """Who stands behind these leads, and their other leads; `requests` is what searching for them may cost."""
        search = TwinSearch(self._amocrm, country)
        try:
            return search.clients(leads, requests)
        except AmoCrmRefused:  # one phone that amoCRM does not want to search for must not hold up the leads
            return search.clients(leads, 0)
