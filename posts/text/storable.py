"""Which texts a database can store; reading and changing the texts inside of a JSON value. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def is_storable(text: str) -> bool:
    """Return whether ``text`` has no NUL, which PostgreSQL refuses, and no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def strings_in(value: object) -> Iterator[str]:
    """Yield every text inside of a JSON value, however deep; not the names in its objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings_in(part)


def with_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with every text in it, names too, as ``change`` makes it; numbers stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): with_strings(part, change) for name, part in value.items()}
    return [with_strings(part, change) for part in value] if isinstance(value, list | tuple) else value
