"""What every new amoCRM account contains: a pipeline, predefined fields of contacts, companies and leads, rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from infra.local.amocrm_simulator.model import LOST, WON, CustomField, Enum, Pipeline, Status

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.world import World

PHONE_ENUMS = ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER")
EMAIL_ENUMS = ("WORK", "PRIV", "OTHER")
TRACKING = ("UTM_CONTENT", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_SOURCE", "UTM_TERM", "UTM_REFERRER", "REFERRER", "FROM")
FULL_RIGHTS: Mapping[str, Any] = {
    **{
        entity: dict.fromkeys(("view", "edit", "add", "delete", "export"), "A")
        for entity in ("leads", "contacts", "companies")
    },
    "tasks": {"edit": "A", "delete": "A"},
    "mail_access": True,
    "catalog_access": True,
    "status_rights": None,
}


def rights(given: Mapping[str, Any]) -> dict[str, Any]:
    """Full rights, with whole groups replaced by what is given."""
    merged = dict(FULL_RIGHTS)
    for key, value in given.items():
        if key in merged:
            merged[key] = {**merged[key], **value} if isinstance(value, dict) and merged[key] else value
    return merged


def unsorted_stage(status_id: int) -> Status:
    return Status(status_id, "Неразобранное", 10, "#c1c1c1", is_editable=False, type=1)


def closing_stages(names: Mapping[int, str]) -> tuple[Status, Status]:
    """142 and 143; `names` may rename them."""
    return (
        Status(WON, names.get(WON, "Успешно реализовано"), 10000, "#CCFF66", is_editable=False),
        Status(LOST, names.get(LOST, "Закрыто и не реализовано"), 11000, "#D5D8DB", is_editable=False),
    )


def put_into(world: World) -> None:
    """Furnish a new account."""
    _default_pipeline(world)
    for entity in ("contacts", "companies"):
        _multitext(world, entity, "Телефон", "PHONE", PHONE_ENUMS)
        _multitext(world, entity, "Email", "EMAIL", EMAIL_ENUMS)
    _predefined(world, "contacts", "Должность", "POSITION", "text")
    _predefined(world, "companies", "Web", "WEB", "url")
    _predefined(world, "companies", "Адрес", "ADDRESS", "textarea")
    for code in TRACKING:
        _predefined(world, "leads", code.lower(), code, "tracking_data")


def _default_pipeline(world: World) -> None:
    # Colours of stages that amoCRM made itself are not among the 21 that its API takes (amoCRM API: pipelines).
    stages = (
        ("Первичный контакт", "#99ccff"),
        ("Переговоры", "#ffff99"),
        ("Принимают решение", "#ffcc66"),
        ("Согласование договора", "#ffcccc"),
    )
    pipeline = Pipeline(
        id=world.ids("pipeline"),
        name="Воронка",
        sort=1,
        is_main=True,
        is_unsorted_on=True,
        statuses=(
            unsorted_stage(world.ids("status")),
            *(Status(world.ids("status"), name, 20 + 10 * at, color) for at, (name, color) in enumerate(stages)),
            *closing_stages({}),
        ),
    )
    world.pipelines[pipeline.id] = pipeline


def _multitext(world: World, entity: str, name: str, code: str, enums: tuple[str, ...]) -> None:
    values = tuple(Enum(world.ids("enum"), value, 2 * sort, value) for sort, value in enumerate(enums, 1))
    _predefined(world, entity, name, code, "multitext", values)


def _predefined(world: World, entity: str, name: str, code: str, type_: str, enums: tuple[Enum, ...] = ()) -> None:
    custom_field = CustomField(
        world.ids("custom_field"), entity, name, type_, code, sort=4, is_predefined=True, enums=enums
    )
    world.custom_fields[custom_field.id] = custom_field
