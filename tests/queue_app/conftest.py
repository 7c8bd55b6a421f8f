"""Job types that tests run, registered for one test, and short cuts to run what is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

# The queue is imported inside the fixtures: pytest reads this file before Django is set up.

Register = Callable[..., str]


@pytest.fixture
def register() -> Iterator[Register]:
    """Return a function that registers a handler as a job type until the test ends."""
    from queue_app import registry

    names: list[str] = []

    def add(handler: Callable[..., Any], name: str = "tests.job", **options: Any) -> str:
        registry.job_type(name, **options)(handler)
        names.append(name)
        return name

    yield add
    for name in names:
        registry.unregister(name)


@pytest.fixture
def later() -> Iterator[Callable[[float], None]]:
    """Return a function that moves the queue's clock ahead by seconds; it is set back when the test ends."""
    from queue_app import clock

    passed = 0.0

    def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        clock.set_offset(timedelta(seconds=passed))

    yield move
    clock.set_offset(timedelta(0))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return a function that runs what is due in queue ``default``, as a django-q2 worker would."""
    from queue_app import runner

    # The database of the last test is gone, and this process's row in it.
    monkeypatch.setattr(runner, "_worker", None)
    return lambda: runner.run_due("default", "tests")
