"""Reading what a request says as plain values: nonsense is no value, never an error."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[0-9]{1,18}")


def whole_number(text: str | None) -> int | None:
    """Return the whole number that ``text`` writes in plain digits and a database can hold; else ``None``."""
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None
