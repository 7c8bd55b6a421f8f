"""The figures of the last 24 hours are exact, by the hour, leave nothing out at their edges, and ask few queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from queue_app import api, clock
from queue_app.models import Job
from queue_app.recent import last_day
from queue_app.states import JobState
from tests.queue_app.jobs import Register
from tests.queue_app.test_selectors import put

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


def ended(name: str, state: JobState, ago: timedelta, seconds: float) -> None:
    at = clock.now() - ago
    put(api.enqueue(name), state, finished_at=at, started_at=at - timedelta(seconds=seconds))


def test_nothing_has_no_figures(name: str) -> None:
    day = last_day(Job.objects.all(), clock.now())
    assert (day.completed, day.failed, day.success_rate, day.mean_seconds, day.slow_seconds) == (0, 0, None, None, None)
    assert len(day.hours) == 24


def test_counts_and_times_by_the_hour(name: str, django_assert_max_num_queries: Any) -> None:
    now = clock.now()
    for number in range(19):
        ended(name, JobState.COMPLETED, timedelta(hours=2), 1 + number)
    ended(name, JobState.FAILED, timedelta(hours=5), 60)
    ended(name, JobState.COMPLETED, timedelta(hours=26), 1000)
    ended(name, JobState.CANCELLED, timedelta(hours=2), 1000)
    with django_assert_max_num_queries(3):
        day = last_day(Job.objects.all(), now)
    assert (day.completed, day.failed, day.success_rate) == (19, 1, 0.95)
    assert day.mean_seconds == pytest.approx((sum(range(1, 20)) + 60) / 20, abs=0.01)
    assert day.slow_seconds == pytest.approx(19, abs=0.01)
    by_hour = {hour.starts_at: hour for hour in day.hours}
    begins = (now - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    assert (by_hour[begins].completed, by_hour[begins].mean_seconds) == (19, pytest.approx(10, abs=0.01))
    assert day.hours[-1].starts_at <= now < day.hours[-1].starts_at + timedelta(hours=1)


def test_an_hour_begins_at_its_first_moment(name: str) -> None:
    now = clock.now()
    begins = now.replace(minute=0, second=0, microsecond=0)
    for at in (begins, begins - timedelta(microseconds=1000)):
        put(api.enqueue(name), JobState.COMPLETED, finished_at=at, started_at=at)
    assert [hour.completed for hour in last_day(Job.objects.all(), now).hours[-2:]] == [1, 1]
