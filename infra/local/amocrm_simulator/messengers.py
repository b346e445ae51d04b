"""A client's hand: chats and e-mails end in «Неразобранное» by themselves, the API cannot create them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator import hook_items, unsorted
from infra.local.amocrm_simulator.contacts import ContactPlan
from infra.local.amocrm_simulator.lead_plan import LeadPlan
from infra.local.amocrm_simulator.model import Unsorted
from infra.local.amocrm_simulator.people import phone_field
from infra.local.amocrm_simulator.unsorted import UnsortedPlan

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.change import Change
    from infra.local.amocrm_simulator.world import World


class Messenger:
    """Clients of the firm writing to it, in a messenger or by mail."""

    def __init__(self, world: World) -> None:
        self._world = world

    def writes(
        self,
        text: str,
        *,
        client: str = "Клиент",
        phone: str | None = None,
        service: str = "telegram",
        source_name: str = "Telegram",
        pipeline_id: int | None = None,
        contact_id: int | None = None,
    ) -> Unsorted:
        """The first message of a chat; a known client is named by `contact_id`."""
        world = self._world
        with world.change(0) as change:
            chat_id, bot_id = world.uuid(), world.uuid()
            plan = UnsortedPlan(
                category="chats",
                pipeline_id=self._pipeline(pipeline_id),
                metadata=_chat_metadata(change, text, client, service, source_name, chat_id, bot_id),
                source_data=_chat_source_data(change, text, client, service, source_name, chat_id, bot_id),
                source_name=source_name,
                source_uid=f"amojo:{service}:{chat_id}",
                source=f"{service}:{bot_id}",
                lead=LeadPlan({"name": ""}),
                contact=self._contact(client, phone, contact_id),
            )
            item = unsorted.create(change, plan)
            change.log("incoming_chat_message", "lead", item.lead_id, after=({"message": {"id": world.uuid()}},))
            return item

    def writes_again(self, uid: str, text: str) -> Unsorted:
        """Another message of the same chat while it waits; arrives as `unsorted[update]`."""
        world = self._world
        with world.change(0) as change:
            item = world.waiting(uid)
            if item is None:
                raise KeyError(uid)
            message = {"id": world.uuid(), "manager": 0, "date": change.at, "text": text}
            told = {**item.source_data, "data": [*item.source_data["data"], message]}
            item = replace(item, source_data=told, metadata={**item.metadata, "last_message_text": text})
            world.unsorted.put(item)
            change.fire("update_unsorted", "unsorted", "update", hook_items.unsorted_updated(world, item))
            return item

    def mails(
        self, subject: str, *, sender: str = "client@example.com", name: str = "Клиент", pipeline_id: int | None = None
    ) -> Unsorted:
        """An e-mail from somebody unknown."""
        world = self._world
        with world.change(0) as change:
            metadata = {
                "from": {"email": sender, "name": name},
                "received_at": change.at,
                "subject": subject,
                "thread_id": world.random.getrandbits(31),
                "message_id": world.random.getrandbits(31),
                "content_summary": subject,
            }
            plan = UnsortedPlan(
                category="mail",
                pipeline_id=self._pipeline(pipeline_id),
                metadata=metadata,
                source_data={**metadata, "date": change.at},
                source_name="Почта",
                source_uid=f"mail:{world.subdomain}",
                lead=LeadPlan({"name": subject}),
                contact=self._contact(name, None, None),
            )
            return unsorted.create(change, plan)

    def _pipeline(self, pipeline_id: int | None) -> int:
        return self._world.main_pipeline.id if pipeline_id is None else pipeline_id

    def _contact(self, name: str, phone: str | None, contact_id: int | None) -> ContactPlan:
        if contact_id is not None:
            return ContactPlan(id=contact_id)
        return ContactPlan({"name": name}, fields=phone_field(self._world, phone) if phone else {})


def _chat_metadata(
    change: Change, text: str, client: str, service: str, source_name: str, chat_id: str, bot_id: str
) -> dict[str, Any]:
    return {
        "from": client,
        "to": bot_id,
        "received_at": change.at,
        "service": service,
        "client": {"name": client, "avatar": None},
        "origin": {"chat_id": chat_id, "ref": None, "visitor_uid": None},
        "last_message_text": text,
        "source_name": source_name,
    }


def _chat_source_data(
    change: Change, text: str, client: str, service: str, source_name: str, chat_id: str, bot_id: str
) -> dict[str, Any]:
    """As captured in a webhook of 2023."""
    return {
        "from": client,
        "name": client,
        "to": bot_id,
        "date": change.at,
        "service": service,
        "site": service.capitalize(),
        "client": {"name": client, "id": change.world.random.getrandbits(31)},
        "origin": {"provider": "amojo", "chat_id": chat_id},
        "data": [{"id": change.world.uuid(), "manager": 0, "date": change.at, "text": text}],
        "source_uid": f"amojo:{service}:{chat_id}",
        "source": f"{service}:{bot_id}",
        "source_name": source_name,
    }
