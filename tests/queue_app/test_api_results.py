"""Results: saved with a time to live, read until then, and a clear word afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from queue_app import api, purge
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context, **args: args or None)


def test_a_result_is_there_until_its_time_is_over_and_after_the_purge_too_one_is_told(name: str, later: Later) -> None:
    job = api.enqueue(name)
    api.save_result(job.pk, {"progress": 40})
    assert api.get_result(job.pk) == {"progress": 40}
    later(3599)
    assert api.get_result(job.pk) == {"progress": 40}
    later(2)
    with pytest.raises(api.ResultExpired, match=f"the result of job {job.pk} was kept until"):
        api.get_result(job.pk)
    api.cancel(job.pk)
    purge.purge_by_settings()
    assert reloaded(job).result is None
    with pytest.raises(api.ResultExpired):
        api.get_result(job.pk)


def test_a_result_without_end_is_kept_as_long_as_the_job(name: str, later: Later) -> None:
    job = api.enqueue(name)
    api.save_result(job.pk, [1], ttl_seconds=None)
    later(86_400 * 365)
    assert api.get_result(job.pk) == [1]


def test_no_result_yet_is_told_from_a_job_completed_without_one(name: str, run: Run) -> None:
    job = api.enqueue(name)
    with pytest.raises(api.NoResult, match=f"job {job.pk} is pending and has no result"):
        api.get_result(job.pk)
    run()
    assert api.get_result(job.pk) is None
    with pytest.raises(api.JobNotFound):
        api.get_result(4711)


def test_what_the_execution_returns_replaces_what_was_saved_before(name: str, run: Run) -> None:
    job = api.enqueue(name, {"a": 1})
    api.save_result(job.pk, "half way")
    run()
    assert (api.get_result(job.pk), reloaded(job).result_expires_at) == ({"a": 1}, None)


@pytest.mark.parametrize("result", [{1, 2}, float("nan"), {"a": "x\0y"}, b"raw", "\ud800", {"deep": object()}])
def test_a_result_that_no_database_stores_is_refused_before_it_is_written(name: str, result: Any) -> None:
    job = api.enqueue(name)
    with pytest.raises(ValueError, match="the result"):
        api.save_result(job.pk, result)
    assert reloaded(job).result is None


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan"), 1e12])
def test_a_time_to_live_is_a_positive_number(name: str, seconds: float) -> None:
    job = api.enqueue(name)
    with pytest.raises(ValueError, match="ttl_seconds is"):
        api.save_result(job.pk, 1, ttl_seconds=seconds)
