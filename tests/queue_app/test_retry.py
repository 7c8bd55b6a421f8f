"""Retry policies: the waits they give and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_app.retry import RetryPolicy, parse_waits


def test_a_fixed_policy_always_waits_the_same() -> None:
    policy = RetryPolicy.fixed(max_attempts=3, delay_seconds=600)
    assert [policy.delay_seconds(n) for n in (1, 2, 3)] == [600, 600, 600]


def test_an_exponential_policy_doubles_up_to_its_cap() -> None:
    policy = RetryPolicy.exponential(max_attempts=9, base_seconds=2, cap_seconds=10, jitter=False)
    assert [policy.delay_seconds(n) for n in (1, 2, 3, 4, 5)] == [2, 4, 8, 10, 10]


def test_steps_are_taken_in_order_and_the_last_repeats() -> None:
    policy = RetryPolicy.by_steps(60, 300, 1800)
    assert policy.max_attempts == 4
    assert [policy.delay_seconds(n) for n in (1, 2, 3, 4)] == [60, 300, 1800, 1800]


@given(attempt=st.integers(1, 10_000), base=st.floats(0, 1e6), cap=st.floats(0, 1e6))
def test_full_jitter_lies_between_nothing_and_the_capped_wait(attempt: int, base: float, cap: float) -> None:
    policy = RetryPolicy.exponential(max_attempts=3, base_seconds=base, cap_seconds=cap)
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    delay = policy.delay_seconds(attempt, uniform)
    assert 0 <= delay <= cap
    assert bounds == [(0.0, delay)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": 1, "base_seconds": -1},
        {"max_attempts": 1, "multiplier": 0.5},
        {"max_attempts": 1, "cap_seconds": -1},
        {"max_attempts": 1, "steps": (-1.0,)},
    ],
)
def test_impossible_policies_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"attempts|negative"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": True},
        {"max_attempts": "3"},
        {"max_attempts": 2**40},
        {"base_seconds": float("nan")},
        {"base_seconds": "60"},
        {"cap_seconds": float("inf")},
        {"multiplier": 1e10},
        {"steps": (1.0, float("nan"))},
        {"steps": [60]},
    ],
)
def test_a_policy_that_would_break_at_the_first_failure_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"max_attempts counts|steps is a tuple|delays are 0 to"):
        RetryPolicy(**{"max_attempts": 3, **options})


def test_the_steepest_policy_stays_below_its_cap() -> None:
    policy = RetryPolicy(1_000_001, base_seconds=1e9, multiplier=1000, cap_seconds=60)
    assert policy.delay_seconds(1_000_000) == 60


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("10m 10m", RetryPolicy.by_steps(600, 600)),
        ("2s 4s 8s", RetryPolicy.by_steps(2, 4, 8)),
        ("1h 1d", RetryPolicy.by_steps(3600, 86_400)),
        ("never", RetryPolicy(max_attempts=1)),
    ],
)
def test_waits_are_read_as_people_write_them(text: str, policy: RetryPolicy) -> None:
    assert parse_waits(text) == policy


@pytest.mark.parametrize("text", ["", "10", "10x", "-1m", "0s", "never 10m", "1000000d", "ten minutes"])
def test_waits_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"waits such as “10m 10m”|never"):
        parse_waits(text)
