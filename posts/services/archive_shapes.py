"""What the records of an archive may hold: for each kind its fields, and for each field what a value may be. Pure.

A check returns the value in its own type and raises ValueError or TypeError in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext

from posts.models import DeliveryStatus, MediaKind, ThreadMode
from posts.planning.rules import Rule
from posts.text.storable import is_storable
from posts.text.wall_time import resolve_wall_time

MOST_DEPTH = 20
ANY_NOON = datetime(2000, 1, 1, 12)  # noqa: DTZ001 - a wall time

Check = Callable[[Any], Any]
Shape = Mapping[str, Check]


def shaped(shape: Shape, record: Any) -> dict[str, Any]:
    """Return the fields of ``shape`` that ``record`` has, each checked. Raises ValueError or TypeError."""
    if not isinstance(record, dict):
        raise TypeError(gettext("this is no record"))
    made = {}
    for name, check in shape.items():
        if name not in record:
            raise ValueError(gettext("%(field)s is missing") % {"field": name})
        try:
            made[name] = check(record[name])
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"{name}: {error}") from None
    return made


def _text(most: int) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not is_storable(value):
            raise TypeError(gettext("this is no text that can be stored"))
        if len(value) > most:
            raise ValueError(gettext("this is longer than %(most)s characters") % {"most": f"{most:,}"})
        return value

    return check


def _one_of(*choices: str) -> Check:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(gettext("this is none of %(choices)s") % {"choices": ", ".join(choices)})
        return str(value)

    return check


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(gettext("this is no number from %(least)s to %(most)s") % {"least": least, "most": most})
        return value

    return check


def _maybe(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _list_of(check: Check) -> Check:
    def check_all(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise TypeError(gettext("this is no list"))
        return [check(each) for each in value]

    return check_all


def _record(shape: Shape) -> Check:
    return lambda value: shaped(shape, value)


def _pair(first: Check, second: Check) -> Check:
    def check(value: Any) -> tuple[Any, Any]:
        if not isinstance(value, list) or len(value) != 2:
            raise TypeError(gettext("this is no pair"))
        return first(value[0]), second(value[1])

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(gettext("this is neither true nor false"))
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise ValueError(gettext("this is no number of seconds"))
    return float(value)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(40)(value))
    if moment.tzinfo is None:
        raise ValueError(gettext("this time has no zone"))
    return moment.astimezone(UTC)


def _wall_time(value: Any) -> str:
    text = str(_text(32)(value))
    if text and datetime.fromisoformat(text).tzinfo is not None:
        raise ValueError(gettext("this is no time on the wall"))
    return text


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(gettext("this is no object"))
    _require_plain(value, MOST_DEPTH)
    return value


def _texts(value: Any) -> dict[str, str]:
    found = _object(value)
    if not all(isinstance(each, str) for each in found.values()):
        raise TypeError(gettext("this has something that is no text"))
    return found


def _require_plain(value: Any, depth: int) -> None:
    """Raise ValueError for JSON that is nested absurdly, or has a text or a number that cannot be stored."""
    is_endless = isinstance(value, float) and not math.isfinite(value)  # written as 1e999
    if depth < 0 or is_endless or (isinstance(value, str) and not is_storable(value)):
        raise ValueError(gettext("this cannot be stored"))
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        _require_plain(each, depth - 1)


def _time_of_day(value: Any) -> time:
    at = time.fromisoformat(_text(20)(value))
    if at.tzinfo is not None:
        raise ValueError(gettext("this is no time on the wall"))
    return at


def _link(value: Any) -> str:
    text = str(_text(500)(value))
    try:
        if text:
            URLValidator(schemes=["http", "https"])(text)
    except ValidationError:
        raise ValueError(gettext("this is no web address")) from None
    return text


def _uuid(value: Any) -> UUID:
    return UUID(_text(36)(value))


def _sha256(value: Any) -> str:
    text = str(_text(64)(value))
    if len(bytes.fromhex(text)) != 32 or text != text.lower():
        raise ValueError(gettext("this is no SHA-256"))
    return text


def _zone(value: Any) -> str:
    name = str(_text(64)(value))
    if name:
        resolve_wall_time(ANY_NOON, name)
    return name


def _rule(value: Any) -> str:
    text = str(_text(500)(value))
    Rule.parse(text)
    return text


_OWNER, _NAME, _LONG = _text(254), _text(200), _text(100_000)
_ACCOUNT = _pair(_text(40), _NAME)
_DELIVERY: Shape = {
    "account": _ACCOUNT,
    "uuid": _uuid,
    "text_override": _maybe(_LONG),
    "status": _one_of(*DeliveryStatus.values),
    "options": _object,
    "platform_post_id": _text(300),
    "url": _link,
    "error_code": _text(100),
    "error_field": _text(40),
    "error_message": _LONG,
    "keyed_at": _moment,
    "published_at": _maybe(_moment),
}
SHAPES: Mapping[str, Shape] = {
    "accounts": {
        "platform": _text(40),
        "identity_id": _NAME,
        "name": _NAME,
        "owner": _OWNER,
        "config": _object,
        "enabled": _flag,
        "signature": _LONG,
        "variables": _texts,
        "utm": _texts,
        "slots_timezone": _zone,
        "slots": _list_of(_pair(_whole(0, 6), _time_of_day)),
    },
    "media": {
        "sha256": _sha256,
        "owner": _OWNER,
        "original_name": _text(255),
        "mime_type": _text(40),
        "kind": _one_of(*MediaKind.values),
        "duration_seconds": _maybe(_seconds),
        "facts": _object,
        "width": _whole(0, 2**31 - 1),
        "height": _whole(0, 2**31 - 1),
        "size_bytes": _whole(0, 2**53),
        "alt_text": _LONG,
        "is_in_library": _flag,
        "tags": _list_of(_text(50)),
        "created_at": _moment,
        "file_deleted_at": _maybe(_moment),
    },
    "recurrences": {
        "key": _text(36),
        "owner": _OWNER,
        "rule": _rule,
        "first_wall_time": _wall_time,
        "timezone": _zone,
        "ends_on": _maybe(lambda value: date.fromisoformat(_text(10)(value))),
        "made_until": _wall_time,
        "skipped_days": _list_of(lambda value: date.fromisoformat(_text(10)(value)).isoformat()),
        "created_at": _moment,
        "ended_at": _maybe(_moment),
    },
    "posts": {
        "key": lambda value: str(_uuid(value)),
        "origin": _maybe(_NAME),
        "owner": _OWNER,
        "text": _LONG,
        "language": _text(35),
        "thread_mode": _one_of(*ThreadMode.values),
        "first_comment": _LONG,
        "tags": _list_of(_text(50)),
        "media": _list_of(_record({"media": _text(400), "alt_text": _LONG})),
        "scheduled_at": _maybe(_moment),
        "wall_time": _wall_time,
        "timezone": _zone,
        "expires_at": _maybe(_moment),
        "priority": _whole(1, 10),
        "recurrence": _maybe(_text(36)),
        "occurrence": _wall_time,
        "is_exception": _flag,
        "created_at": _moment,
        "deliveries": _list_of(_record(_DELIVERY)),
    },
}
