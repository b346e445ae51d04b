"""/account."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response

from infra.local.amocrm_simulator.api.common import author, links, respond, the_world, with_params
from infra.local.amocrm_simulator.world import World

api = Blueprint("account", __name__)


@api.get("/account")
def get_account() -> Response:
    world, with_ = the_world(), with_params()
    optional = {
        "amojo_id": "f3c6340d-410e-4ad1-9f7e-c5e663599909",
        "uuid": "824f3a59-6154-4edf-ba90-0b5593715d07",
        "version": 11,
        "drive_url": f"https://drive-b.{world.domain}",
        "is_api_filter_enabled": world.switches.filters_enabled,
        "invoices_settings": None,
    }
    parts = {key: part for key, part in _parts(world).items() if key in with_}
    return respond(
        {
            "id": world.account_id,
            "name": world.subdomain,
            "subdomain": world.subdomain,
            "created_at": world.created_at,
            "created_by": world.admin.id,
            "updated_at": world.created_at,
            "updated_by": world.admin.id,
            "current_user_id": author(),
            "country": "RU",
            "currency": "RUB",
            "currency_symbol": "₽",
            "customers_mode": "unavailable",
            "is_unsorted_on": True,
            "is_loss_reason_enabled": True,
            "is_helpbot_enabled": False,
            "is_technical_account": False,
            "contact_name_display_order": 1,
            "mobile_feature_version": 0,
            **{key: value for key, value in optional.items() if key in with_},
            **links("account"),
            **({"_embedded": parts} if parts else {}),
        }
    )


def _parts(world: World) -> dict[str, Any]:
    return {
        "amojo_rights": {"can_direct": True, "can_create_groups": True},
        "users_groups": [{"id": 0, "name": "Отдел продаж", "uuid": None}],
        "task_types": [
            {"id": kind.id, "name": kind.name, "color": None, "icon_id": None, "code": kind.code}
            for kind in world.task_types.values()
        ],
        "entity_names": {
            "leads": {"ru": {"singular_form": {"default": "сделка"}, "plural_form": {"default": "сделки"}}}
        },
        "datetime_settings": _datetime_settings(world),
    }


def _datetime_settings(world: World) -> dict[str, str]:
    """`date_formant` is spelled so by amoCRM."""
    offset = f"{world.clock.now().astimezone(ZoneInfo(world.timezone)):%z}"
    return {
        "date_pattern": "d.m.Y H:i",
        "short_date_pattern": "d.m.Y",
        "short_time_pattern": "H:i",
        "date_formant": "d.m.Y",
        "time_format": "H:i:s",
        "timezone": world.timezone,
        "timezone_offset": f"{offset[:3]}:{offset[3:]}",
    }
