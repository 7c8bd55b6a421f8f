"""The way of a job: when each execution started, sent and was answered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from queue_app import api, clock, finish, transitions
from queue_app.claims import Claim
from queue_app.context import JobContext
from queue_app.course import course_of
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.outcomes import Done, Failure, Outcome, Retry
from tests.queue_app.jobs import Register

pytestmark = pytest.mark.django_db(transaction=True)


def execute(job: Job, outcome: Outcome, *, mark: bool) -> None:
    with atomic():
        job.refresh_from_db()
        attempt = transitions.start(job, None, now=clock.now(), lease_seconds=60, holder="tests")
    if mark:
        JobContext(job, "tests").before_irreversible_step()
    finish.settle(Claim(job, attempt), outcome)


def test_what_waits_has_only_its_beginning(register: Register) -> None:
    at = clock.now() + timedelta(hours=1)
    course = course_of(api.enqueue(register(lambda _context: None), run_at=at))
    assert (course.due_at, course.last, course.late_seconds) == (at, None, None)


def test_each_execution_has_its_own_moments(register: Register) -> None:
    job = api.enqueue(register(lambda _context: None))
    execute(job, Retry(Failure("Temporary", "down"), delay_seconds=0), mark=False)
    execute(job, Done(None), mark=True)
    course = course_of(Job.objects.get(pk=job.pk))
    first, second = course.runs
    assert first.sent_at is None
    assert second.sent_at is not None
    assert second.attempt.started_at <= second.sent_at
    assert second.attempt.finished_at is not None
    assert second.sent_at <= second.attempt.finished_at
    assert course.last == second
