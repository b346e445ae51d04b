"""An amoCRM account and the hands of the people in it, once in memory and once simulated behind the real adapter."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx

from functions.shared.ports import AmoCrm
from infra.local.amocrm_simulator import stages
from infra.local.amocrm_simulator.app import create_app
from infra.local.amocrm_simulator.messengers import Messenger
from infra.local.amocrm_simulator.model import Value
from infra.local.amocrm_simulator.people import Person
from infra.local.amocrm_simulator.stages import PipelinePlan, StatusPlan
from infra.local.amocrm_simulator.world import World
from tests.amocrm_support import FixedTokens, Wire
from tests.fakes import ManualClock
from tests.fakes_amocrm import FIRST_STAGE, PIPELINE, UNSORTED_STAGE, FakeAmoCrm

NOBODY = 99_999_999


class Firm(Protocol):
    """An amoCRM account and the hands of the people in it."""

    clock: ManualClock
    amocrm: AmoCrm
    pipeline: int
    other_pipeline: int
    unsorted_stage: int
    first_stage: int
    second_stage: int
    other_first_stage: int
    token_user: int

    def user(self, *, may_edit_leads: bool = True) -> int: ...
    def lead(
        self, owner: int = 0, *, other: bool = False, contact: int | None = None, tags: tuple[str, ...] = ()
    ) -> int: ...
    def contact(self, owner: int, name: str = "Клиент", phone: str = "", email: str = "") -> int: ...
    def company(self) -> int: ...
    def chat(self, contact: int | None = None, phone: str = "") -> tuple[str, int]: ...
    def field(self, name: str, kind: str, *enums: str) -> tuple[int, dict[str, int]]:
        """A custom field of leads: its id, and the ids of its enums by their texts."""

    def loss_reason(self, name: str) -> int: ...
    def accepts(self, uid: str, user_id: int) -> None: ...
    def declines(self, uid: str) -> None: ...
    def reassigns(self, lead_id: int, user_id: int) -> None: ...
    def moves(self, lead_id: int, status_id: int) -> None: ...
    def moves_as(self, user_id: int, lead_id: int, place: tuple[int, int]) -> None: ...
    def fills_in(self, lead_id: int, field_id: int, text: str, enum_id: int | None = None) -> None: ...
    def empties(self, lead_id: int, field_id: int) -> None: ...
    def renames(self, lead_id: int, name: str) -> None: ...
    def prices(self, lead_id: int, price: int) -> None: ...
    def links(self, lead_id: int, contact_id: int) -> None: ...
    def unlinks(self, lead_id: int, contact_id: int) -> None: ...
    def merges(self, *, winner: int, loser: int) -> None: ...
    def deletes(self, lead_id: int) -> None: ...
    def restores(self, lead_id: int) -> None: ...
    def completes(self, task_id: int, result: str = "") -> None: ...
    def switches_off(self, user_id: int) -> None: ...
    def lists_lag(self, seconds: int) -> None: ...


class FakeFirm:
    pipeline, other_pipeline = PIPELINE, PIPELINE + 1
    unsorted_stage, first_stage, second_stage = UNSORTED_STAGE, FIRST_STAGE, FIRST_STAGE + 1
    other_first_stage = FIRST_STAGE + 1000

    def __init__(self) -> None:
        self.clock = ManualClock()
        own = {(self.pipeline, stage) for stage in (self.unsorted_stage, self.first_stage, self.second_stage)}
        places = own | {(self.other_pipeline, self.other_first_stage)}
        self.amocrm = FakeAmoCrm(self.clock, stages=places, loss_reasons=set())
        self.token_user = self.amocrm.add_user(1, is_admin=True).id
        self.accepts = self.amocrm.human_accepts
        self.declines = self.amocrm.human_declines
        self.reassigns = self.amocrm.human_reassigns
        self.moves = self.amocrm.human_moves
        self.renames = self.amocrm.human_renames
        self.prices = self.amocrm.human_sets_price
        self.links = self.amocrm.human_links
        self.unlinks = self.amocrm.human_unlinks
        self.merges = self.amocrm.human_merges
        self.deletes = self.amocrm.delete_lead
        self.restores = self.amocrm.restore_lead
        self.completes = self.amocrm.human_completes
        self.company = self.amocrm.add_company
        self.switches_off = self.amocrm.switch_off_user

    def user(self, *, may_edit_leads: bool = True) -> int:
        return self.amocrm.add_user(may_edit_leads=may_edit_leads).id

    def lead(
        self, owner: int = 0, *, other: bool = False, contact: int | None = None, tags: tuple[str, ...] = ()
    ) -> int:
        lead = self.amocrm.add_lead(
            pipeline_id=self.other_pipeline if other else self.pipeline,
            status_id=self.other_first_stage if other else self.first_stage,
            responsible_user_id=owner,
            contacts=[contact] if contact else [],
            tags=tags,
        )
        return lead.id

    def contact(self, owner: int, name: str = "Клиент", phone: str = "", email: str = "") -> int:
        phones, emails = _given(phone), _given(email)
        return self.amocrm.add_contact(responsible_user_id=owner, name=name, phones=phones, emails=emails).id

    def field(self, name: str, kind: str, *enums: str) -> tuple[int, dict[str, int]]:
        ids = {text: number for number, text in enumerate(enums, 7_000_001)}
        return self.amocrm.add_field(name, kind, enums={number: text for text, number in ids.items()}), ids

    def loss_reason(self, name: str) -> int:
        self.amocrm.loss_reasons.add(8_000_001 + len(self.amocrm.loss_reasons))
        return max(self.amocrm.loss_reasons)

    def moves_as(self, user_id: int, lead_id: int, place: tuple[int, int]) -> None:
        pipeline_id, status_id = place
        self.amocrm.human_moves(lead_id, status_id, pipeline_id, by=user_id)

    def fills_in(self, lead_id: int, field_id: int, text: str, enum_id: int | None = None) -> None:
        self.amocrm.human_sets_field(lead_id, field_id, text, enum_id=enum_id)

    def empties(self, lead_id: int, field_id: int) -> None:
        self.amocrm.human_sets_field(lead_id, field_id)

    def chat(self, contact: int | None = None, phone: str = "") -> tuple[str, int]:
        contacts = [contact or self.amocrm.add_contact(name="Клиент", phones=_given(phone)).id]
        item = self.amocrm.add_unsorted(category="chats", service="telegram", source_name="Бот", contacts=contacts)
        return item.uid, item.lead_id

    def lists_lag(self, seconds: int) -> None:
        self.amocrm.list_lag = timedelta(seconds=seconds)


class SimulatedFirm:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.world = World(self.clock)
        tokens = FixedTokens((self.world.add_token("conveyor", self.world.admin.id),))
        self.wire = Wire(httpx.WSGITransport(app=create_app(self.world)), tokens=tokens, clock=self.clock)
        self.amocrm = self.wire.amocrm
        other = stages.create_pipeline(
            self.world, PipelinePlan("Вторая", 20, False, True, (StatusPlan("Новая", 10, "#fffeb2"),))
        )
        main = self.world.main_pipeline
        self.pipeline, self.other_pipeline = main.id, other.id
        self.unsorted_stage = main.unsorted.id
        self.first_stage, self.other_first_stage = main.entry.id, other.entry.id
        self.second_stage = next(status.id for status in main.statuses if status.type == 0 and status != main.entry)
        self.token_user = self.world.admin.id
        self.person = Person(self.world)
        self.reassigns = self.person.reassign
        self.moves = self.person.move
        self.declines = self.person.decline
        self.renames = self.person.rename
        self.prices = self.person.price
        self.links = self.person.link
        self.unlinks = self.person.unlink
        self.merges = self.person.merge_leads
        self.deletes = self.person.delete_lead
        self.restores = self.person.restore_lead
        self.completes = self.person.complete_task
        self.switches_off = self.person.switch_off

    def user(self, *, may_edit_leads: bool = True) -> int:
        rights = {"leads": {"edit": "A" if may_edit_leads else "D"}}
        return self.world.add_user("Менеджер", f"m{len(self.world.users)}@firm.example", rights=rights).id

    def lead(
        self, owner: int = 0, *, other: bool = False, contact: int | None = None, tags: tuple[str, ...] = ()
    ) -> int:
        pipeline_id = self.other_pipeline if other else self.pipeline
        return self.person.create_lead(pipeline_id=pipeline_id, owner=owner, contact_id=contact, tags=tags).id

    def contact(self, owner: int, name: str = "Клиент", phone: str = "", email: str = "") -> int:
        return self.person.create_contact(name, phone or None, email or None, owner=owner).id

    def company(self) -> int:
        return self._made("companies", "companies", {"name": "ООО"})["id"]

    def field(self, name: str, kind: str, *enums: str) -> tuple[int, dict[str, int]]:
        sent = {"enums": [{"value": text} for text in enums]} if enums else {}
        made = self._made("leads/custom_fields", "custom_fields", {"name": name, "type": kind, **sent})
        return made["id"], {enum["value"]: enum["id"] for enum in made["enums"] or ()}

    def loss_reason(self, name: str) -> int:
        return self._made("leads/loss_reasons", "loss_reasons", {"name": name, "sort": 100})["id"]

    def moves_as(self, user_id: int, lead_id: int, place: tuple[int, int]) -> None:
        pipeline_id, status_id = place
        Person(self.world, user_id).move(lead_id, status_id, pipeline_id)

    def fills_in(self, lead_id: int, field_id: int, text: str, enum_id: int | None = None) -> None:
        self.person.fill_in(lead_id, field_id, Value(text, enum_id))

    def empties(self, lead_id: int, field_id: int) -> None:
        self.person.fill_in(lead_id, field_id)

    def chat(self, contact: int | None = None, phone: str = "") -> tuple[str, int]:
        item = Messenger(self.world).writes(
            "Здравствуйте", service="telegram", source_name="Бот", contact_id=contact, phone=phone or None
        )
        return item.uid, item.lead_id

    def _made(self, path: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """Through the API, as `conveyor apply` makes it."""
        (row,) = self.wire.client.write("POST", path, [body])["_embedded"][key]
        return row

    def accepts(self, uid: str, user_id: int) -> None:
        self.person.accept(uid, owner=user_id)

    def lists_lag(self, seconds: int) -> None:
        self.world.switch(list_lag=(seconds, seconds))


def now(firm: Firm) -> datetime:
    return firm.clock.now().replace(microsecond=0)


def _given(text: str) -> Iterable[str]:
    return [text] if text else []
