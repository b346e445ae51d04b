"""Values of custom fields: checked on the way in, shown in the shapes of REST and of webhooks on the way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from infra.local.amocrm_simulator.model import CustomField, Enum, Fields, Value

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.validation import Item
    from infra.local.amocrm_simulator.world import World

_TYPES = (
    "text numeric checkbox select multiselect multitext date url textarea radiobutton streetaddress smart_address "
    "birthday legal_entity date_time items category price tracking_data linked_entity org_legal_name monetary "
    "chained_list file payer supplier"
)
TYPES = frozenset(_TYPES.split())
"""amoCRM API: custom fields."""
LISTS = frozenset({"select", "multiselect", "radiobutton", "category"})
DATES = frozenset({"date", "date_time", "birthday"})
NUMBERS = frozenset({"numeric", "price", "monetary"})
SINGLE = TYPES - {"multiselect", "multitext", "smart_address", "items", "category", "chained_list", "linked_entity"}
TEXTS = frozenset({"text", "url", "textarea", "streetaddress", "tracking_data", "org_legal_name"})


class Wrong(ValueError):
    """A value that the field does not take; `key` is where, `code` amoCRM's word for it."""

    def __init__(self, key: str, code: str, detail: str | None = None) -> None:
        super().__init__(key)
        self.key, self.code, self.detail = key, code, detail


def read(world: World, item: Item, entity: str, current: Fields) -> Fields:
    """`custom_fields_values` of a write put over the current values; fields that are not sent stay."""
    sent = item.raw.get("custom_fields_values")
    if sent is None:
        return current
    if not isinstance(sent, list):
        item.refuse("custom_fields_values", "InvalidType", "This value should be of type array.")
        return current
    fields = dict(current)
    for index, entry in enumerate(sent):
        _read_field(world, item.inside(entry, f"custom_fields_values.{index}."), entity, fields)
    return fields


def _read_field(world: World, item: Item, entity: str, fields: dict[int, tuple[Value, ...]]) -> None:
    custom_field = _field_of(world, item, entity)
    if custom_field is None:
        return
    values = item.raw.get("values")
    if values is None and "values" in item.raw:
        fields.pop(custom_field.id, None)
    elif not isinstance(values, list):
        item.refuse("values", "InvalidType", "This value should be of type array.")
    elif not values:
        item.refuse("values", "TooFew", "This collection should contain 1 element or more.")
    elif len(values) > 1 and custom_field.type in SINGLE:
        item.refuse("values", "TooMany", "This collection should contain 1 element or less.")
    else:
        read_values = [_read_value(world, item, custom_field, at, value) for at, value in enumerate(values)]
        fields[custom_field.id] = tuple(value for value in read_values if value is not None)


def _field_of(world: World, item: Item, entity: str) -> CustomField | None:
    field_id, code = item.raw.get("field_id"), item.raw.get("field_code")
    if field_id is None and code is None:
        item.refuse("field_id", "FieldMissing")
        return None
    for custom_field in world.custom_fields.values():
        matches = custom_field.id == field_id if field_id is not None else custom_field.code == code
        if custom_field.entity == entity and matches:
            return custom_field
    item.refuse("field_id" if field_id is not None else "field_code")
    return None


def _read_value(world: World, item: Item, custom_field: CustomField, at: int, raw: object) -> Value | None:
    try:
        if not isinstance(raw, dict):
            raise Wrong("", "InvalidType", "This value should be of type array.")
        return _reader(custom_field.type)(world, custom_field, raw)
    except Wrong as wrong:
        item.refuse(f"values.{at}.{wrong.key}".rstrip("."), wrong.code, wrong.detail)
        return None


Reader = Callable[["World", CustomField, Mapping[str, Any]], Value]


def _reader(type_: str) -> Reader:
    if type_ in LISTS:
        return _choice
    if type_ == "multitext":
        return _multitext
    if type_ in DATES:
        return _date
    if type_ in NUMBERS:
        return _number
    if type_ == "checkbox":
        return _checkbox
    return _text if type_ in TEXTS else _anything


def _choice(_: World, custom_field: CustomField, raw: Mapping[str, Any]) -> Value:
    enum = _enum(custom_field, raw) or next((e for e in custom_field.enums if e.value == raw.get("value")), None)
    if enum is None:
        raise Wrong("enum_id" if "enum_id" in raw else "value", "NotSupportedChoice")
    return Value(enum.value, enum.id)


def _multitext(_: World, custom_field: CustomField, raw: Mapping[str, Any]) -> Value:
    enum = _enum(custom_field, raw)
    if enum is None and ("enum_id" in raw or "enum_code" in raw):
        raise Wrong("enum_id" if "enum_id" in raw else "enum_code", "NotSupportedChoice")
    default = enum or next(iter(custom_field.enums), None)
    return Value(_string(raw), default.id if default else None)


def _enum(custom_field: CustomField, raw: Mapping[str, Any]) -> Enum | None:
    if "enum_id" in raw:
        return custom_field.enum(raw["enum_id"])
    return next((enum for enum in custom_field.enums if enum.code and enum.code == raw.get("enum_code")), None)


def _date(world: World, custom_field: CustomField, raw: Mapping[str, Any]) -> Value:
    sent = raw.get("value")
    try:
        if isinstance(sent, str) and not sent.isdigit():
            moment = datetime.fromisoformat(sent)
        elif isinstance(sent, int | str) and not isinstance(sent, bool):
            moment = datetime.fromtimestamp(int(sent), UTC)
        else:
            raise Wrong("value", "InvalidType", "This value should be of type int.")
    except ValueError as error:
        if isinstance(error, Wrong):
            raise
        raise Wrong("value", "InvalidValue", "This value is not a valid date.") from None
    zone = ZoneInfo(world.timezone)
    local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
    if custom_field.type != "date_time":
        local = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return Value(int(local.timestamp()))


def _number(_: World, __: CustomField, raw: Mapping[str, Any]) -> Value:
    sent = raw.get("value")
    if isinstance(sent, bool) or not isinstance(sent, int | float | str):
        raise Wrong("value", "InvalidType", "This value should be of type numeric.")
    try:
        number = float(sent)
    except ValueError:
        raise Wrong("value", "InvalidType", "This value should be of type numeric.") from None
    return Value(int(number) if number.is_integer() else number)


def _checkbox(_: World, __: CustomField, raw: Mapping[str, Any]) -> Value:
    if not isinstance(raw.get("value"), bool):
        raise Wrong("value", "InvalidType", "This value should be of type bool.")
    return Value(raw["value"])


def _text(_: World, __: CustomField, raw: Mapping[str, Any]) -> Value:
    return Value(_string(raw))


def _anything(_: World, __: CustomField, raw: Mapping[str, Any]) -> Value:
    if raw.get("value") is None:
        raise Wrong("value", "FieldMissing")
    return Value(raw["value"])


def _string(raw: Mapping[str, Any]) -> str:
    if not isinstance(raw.get("value"), str):
        raise Wrong("value", "InvalidType", "This value should be of type string.")
    return str(raw["value"])


def show(world: World, fields: Fields) -> list[dict[str, Any]] | None:
    """The REST shape; null when nothing is filled."""
    shown = [
        {
            "field_id": custom_field.id,
            "field_name": custom_field.name,
            "field_code": custom_field.code,
            "field_type": custom_field.type,
            "values": [_shown(custom_field, value) for value in values],
        }
        for custom_field, values in _known(world, fields)
    ]
    return shown or None


def _shown(custom_field: CustomField, value: Value) -> dict[str, Any]:
    enum = custom_field.enum(value.enum_id)
    return {"value": value.value, **({"enum_id": enum.id, "enum_code": enum.code} if enum else {})}


def for_hook(world: World, fields: Fields, entity: str) -> list[dict[str, Any]] | None:
    """The old v2 shape of webhooks: bare timestamps for dates, an object for a contact's radio button."""
    shown = [
        {
            "id": custom_field.id,
            "name": custom_field.name,
            "values": _hook_values(custom_field, values, entity, ZoneInfo(world.timezone)),
            "code": custom_field.code,
        }
        for custom_field, values in _known(world, fields)
    ]
    return shown or None


def _hook_values(custom_field: CustomField, values: tuple[Value, ...], entity: str, zone: ZoneInfo) -> object:
    if custom_field.type == "birthday":
        return [{"value": f"{datetime.fromtimestamp(value.value, zone):%d.%m.%Y}"} for value in values]
    if custom_field.type in DATES:
        return [value.value for value in values]
    shown = [{"value": value.value, "enum": value.enum_id} for value in values]
    return shown[0] if custom_field.type == "radiobutton" and entity != "leads" else shown


def texts(fields: Fields) -> list[str]:
    """Everything filled, as text, for `query`."""
    return [str(value.value) for values in fields.values() for value in values]


def phones(world: World, fields: Fields) -> list[str]:
    """The digits of the phones."""
    return [
        "".join(filter(str.isdigit, str(value.value)))
        for custom_field, values in _known(world, fields)
        if custom_field.code == "PHONE"
        for value in values
    ]


def _known(world: World, fields: Fields) -> list[tuple[CustomField, tuple[Value, ...]]]:
    return [(world.custom_fields[id_], values) for id_, values in sorted(fields.items()) if id_ in world.custom_fields]
