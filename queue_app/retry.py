"""When a job is tried again: fixed, exponential with cap and full jitter, or by listed steps. Pure; no Django."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from queue_app.rates import UNITS

MOST_ATTEMPTS = 1_000_001
MOST_MULTIPLIER = 1_000
LONGEST_SECONDS = 100 * 366 * 86_400
NEVER = "never"
WAIT = re.compile(r"(?P<times>[1-9]\d{0,8})(?P<unit>[smhd])")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait after the n-th execution failed, and how many executions there are in all.

    ``max_attempts`` counts executions (retries + 1). The wait is ``steps[n - 1]`` where steps are given (the last
    repeats), else ``base_seconds * multiplier ** (n - 1)``, at most ``cap_seconds``; with ``jitter`` it is drawn
    evenly between 0 and that ("full jitter").
    """

    max_attempts: int
    base_seconds: float = 60.0
    multiplier: float = 2.0
    cap_seconds: float = 1800.0
    jitter: bool = False
    steps: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for what can be no policy: it would break only when the first job fails."""
        if type(self.max_attempts) is not int or not 1 <= self.max_attempts <= MOST_ATTEMPTS:
            raise ValueError(
                f"max_attempts counts executions and is 1 to {MOST_ATTEMPTS:,}, not {str(self.max_attempts)[:40]}"
            )
        if not isinstance(self.steps, tuple):
            raise ValueError(f"steps is a tuple of seconds, not a {type(self.steps).__name__}")  # noqa: TRY004
        delays = (self.base_seconds, self.cap_seconds, *self.steps)
        if not all(_is_within(delay, 0, LONGEST_SECONDS) for delay in delays) or not _is_within(
            self.multiplier, 1, MOST_MULTIPLIER
        ):
            raise ValueError(
                f"delays are 0 to {LONGEST_SECONDS:,} seconds and cannot be negative; "
                f"a multiplier is 1 to {MOST_MULTIPLIER:,}"
            )

    @classmethod
    def fixed(cls, *, max_attempts: int, delay_seconds: float) -> RetryPolicy:
        """Return a policy that always waits ``delay_seconds``."""
        return cls(max_attempts=max_attempts, base_seconds=delay_seconds, multiplier=1.0, cap_seconds=delay_seconds)

    @classmethod
    def exponential(
        cls,
        *,
        max_attempts: int,
        base_seconds: float,
        multiplier: float = 2.0,
        cap_seconds: float = 1800.0,
        jitter: bool = True,
    ) -> RetryPolicy:
        """Return a policy that waits ``base · multiplierⁿ⁻¹`` after the n-th execution, capped, jittered."""
        return cls(max_attempts, base_seconds, multiplier, cap_seconds, jitter)

    @classmethod
    def by_steps(cls, *delays_seconds: float) -> RetryPolicy:
        """Return a policy with one retry for each delay, in order."""
        return cls(max_attempts=len(delays_seconds) + 1, steps=delays_seconds)

    def delay_seconds(self, attempt: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Return the wait after execution number ``attempt`` (1 is the first) failed."""
        if self.steps:
            delay = self.steps[min(attempt, len(self.steps)) - 1]
        else:
            # A large exponent would overflow a float long after the cap was reached. With the multiplier's and the
            # base's bounds the largest is 1e202.
            delay = min(self.base_seconds * self.multiplier ** min(attempt - 1, 64), self.cap_seconds)
        return uniform(0.0, delay) if self.jitter else delay


@lru_cache(maxsize=256)
def parse_waits(text: str) -> RetryPolicy:
    """Return the policy of a text such as ``10m 10m``: a retry after each wait; units are s, m, h, d.

    ``never`` is none at all. Raises ValueError.
    """
    words = text.split()
    if words == [NEVER]:
        return RetryPolicy(max_attempts=1)
    found = [WAIT.fullmatch(word) for word in words]
    waits = [int(wait["times"]) * UNITS[wait["unit"]] for wait in found if wait is not None]
    if not waits or len(waits) < len(words) or max(waits) > LONGEST_SECONDS:
        raise ValueError(f"retries are waits such as “10m 10m”, one for each, or the word {NEVER}, not {text!r}")
    return RetryPolicy.by_steps(*waits)


def _is_within(value: object, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
