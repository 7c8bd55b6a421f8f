"""What a site's tests use: due jobs run in the test's process, with what they make due."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queue_app import api
from queue_app.testing import run_due_jobs

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_due_runs_and_what_that_makes_due(register: Callable[..., str]) -> None:
    left = [2, 1, 0]

    def again(context: object) -> None:
        if left.pop(0):
            api.enqueue("tests.job")

    register(again)
    first = api.enqueue("tests.job")
    assert run_due_jobs() == 3
    assert api.get_status(first.pk) == "completed"
    assert run_due_jobs() == 0


def test_another_queue_is_left_alone(register: Callable[..., str]) -> None:
    register(lambda context: None)
    api.enqueue("tests.job", queue="slow")
    assert run_due_jobs() == 0
    assert run_due_jobs("slow") == 1
