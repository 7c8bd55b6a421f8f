"""Which texts a database can store, and the texts inside of a JSON value. Pure."""

from __future__ import annotations

from collections.abc import Iterator


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
