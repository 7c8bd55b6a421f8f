"""What callers may give beside a job's arguments: text, times, numbers, lists and ids, each checked in one way.

Pure. Every refusal is a ValueError that names the value and says what it may be; a long value is shown cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from queue_app.arguments import storable

ACTOR_CHARACTERS = 150
SHOWN_CHARACTERS = 60
# In digits: what surely fits the column.
LONGEST_ID = 18


def text(what: str, value: object, most: int | None = None, *, least: int = 0) -> str:
    """Return ``value`` if it is text of ``least`` to ``most`` characters that every database stores."""
    is_text = isinstance(value, str) and storable(value) and len(value) >= least
    if not isinstance(value, str) or not is_text or (most is not None and len(value) > most):
        wanted = "plain text" if most is None else f"{least} to {most} characters of plain text"
        found = f"text of {len(value)} characters" if isinstance(value, str) else f"a {type(value).__name__}"
        raise ValueError(f"{what} is {wanted} without NUL or lone surrogates, not {found}")
    return value


def word(what: str, value: object, most: int, *, spaces: bool = False) -> str:
    """Return ``value`` if it is a name: 1 to ``most`` printable characters, and no spaces unless they are allowed."""
    printable = isinstance(value, str) and 0 < len(value) <= most and value.isprintable()
    if not isinstance(value, str) or not printable or (not spaces and any(map(str.isspace, value))):
        wanted = "printable characters" if spaces else "characters without spaces"
        raise ValueError(f"{what} is 1 to {most} {wanted}, not {shown(value)}")
    return value


def actor(value: object) -> str:
    """Return who acted, as events keep it: at most ``ACTOR_CHARACTERS``, "" for nobody."""
    return text("actor", value, ACTOR_CHARACTERS)


def moment(what: str, value: object) -> datetime:
    """Return an aware datetime in UTC."""
    if not isinstance(value, datetime):
        raise ValueError(f"{what} is a datetime, not a {type(value).__name__}")  # noqa: TRY004 -- one error for bad input
    if value.utcoffset() is None:
        raise ValueError(f"{what} needs a time zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{what} is beyond what UTC can say: {value.isoformat()}") from None


def expiry(value: object, run_at: datetime, now: datetime) -> datetime:
    """Return when a job that is due at ``run_at`` is dropped, in UTC: a time at which it could have run before."""
    found = moment("expires_at", value)
    if found <= now:
        raise ValueError(f"expires_at is in the future, not {found.isoformat()}")
    if found <= run_at:
        raise ValueError(f"expires_at is after run_at ({run_at.isoformat()}), not {found.isoformat()}")
    return found


def number(what: str, value: object, least: float, most: float) -> float:
    """Return a finite number from ``least`` to ``most``; ``what`` says its unit. True is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, int | float) or not is_number or not least <= value <= most:
        raise ValueError(f"{what} is a number from {least:,g} to {most:,g}, not {shown(value)}")
    return float(value)


def listed(what: str, values: Any) -> Iterable[Any]:
    """Return ``values`` if they are several things one after the other; text is none, whatever Python says."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ValueError(f"{what} is a list, not {shown(values)}")  # noqa: TRY004 -- one error for bad input
    return values


def job_id(value: object) -> int:
    """Return a job's id, or a fence, as a number; text of digits is one, too."""
    if value in ("", None):
        raise ValueError("job id cannot be empty")
    digits = str(value)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdecimal()) or len(digits) > LONGEST_ID:
        raise ValueError(f"job id is a number, not {digits[:40]!r}")
    return int(digits)


def shown(value: object) -> str:
    """Return ``value`` as a message shows it."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    return repr(value)[:SHOWN_CHARACTERS]
