"""Rates of limits as people write them: so many starts in any window of so long. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

UNITS: Mapping[str, int] = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "day": 86_400}
RATE = re.compile(r"(?P<count>[1-9]\d{0,6})/(?P<times>[1-9]\d{0,4})?(?P<unit>[a-z]+)")
LONGEST_SECONDS = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` starts in any ``seconds``."""

    count: int
    seconds: int

    @property
    def window(self) -> timedelta:
        """The length of the window."""
        return timedelta(seconds=self.seconds)

    def __str__(self) -> str:
        unit, length = next(
            (u, n) for u, n in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)) if self.seconds % n == 0
        )
        times = self.seconds // length
        return f"{self.count}/{'' if times == 1 else times}{unit}"


Rates = tuple[Rate, ...]


@lru_cache(maxsize=256)
def parse_rates(text: str) -> Rates:
    """Return the rates of a text such as ``25/15m 100/d``; units are s, m, h, d. Raises ValueError."""
    found = []
    for word in text.split():
        match = RATE.fullmatch(word)
        seconds = int(match["times"] or 1) * UNITS.get(match["unit"], 0) if match else 0
        if match is None or not 0 < seconds <= LONGEST_SECONDS:
            raise ValueError(f"a rate is a number of starts and a window, such as 200/h, 20/d or 25/15m, not {word!r}")
        found.append(Rate(int(match["count"]), seconds))
    if not found:
        raise ValueError("a limit needs a rate such as 200/h")
    return tuple(found)
