"""Why a job is not running, in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from queue_app import api, blocks, clock, workers
from queue_app.database import atomic
from queue_app.explain import explain
from queue_app.models import BlockKind, Job
from queue_app.outcomes import Fail, Failure, Postpone
from queue_app.states import JobState
from tests.queue_app.jobs import Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


def test_a_job_of_the_future_says_when(name: str) -> None:
    at = clock.now() + timedelta(hours=1)
    explanation = explain(api.enqueue(name, run_at=at))
    assert explanation.text == f"due at {at:%Y-%m-%d %H:%M:%S} UTC"
    assert explanation.until == at


def test_a_due_job_without_a_worker_says_how_to_start_one(name: str) -> None:
    assert "start one with python manage.py qcluster" in explain(api.enqueue(name)).text


def test_a_due_job_says_how_many_are_ahead(name: str) -> None:
    workers.register("c", {"default": 1})
    first, second = api.enqueue(name), api.enqueue(name)
    assert explain(first).text == "due now, next in line"
    assert explain(second).text == "due, behind 1 others"


def test_a_due_job_of_a_type_no_worker_knows_says_so(name: str) -> None:
    workers.register("c", {"default": 1})
    job = api.enqueue(name)
    Job.objects.filter(pk=job.pk).update(type="gone.type")
    assert explain(reloaded(job)).text == "due, but no running worker knows the type 'gone.type'"


def test_a_blocked_job_says_by_what_and_until_when(name: str, run: Run) -> None:
    until = clock.now() + timedelta(minutes=5)
    with atomic():
        blocks.place("account:7", BlockKind.RATE_LIMIT, now=clock.now(), reason="20 a day", until=until)
    job = api.enqueue(name, keys=["account:7"])
    for moment in (job, reloaded(job)):
        assert explain(moment).text == "the platform asked to wait (account:7): 20 a day"
        assert explain(moment).until == until
        run()


def test_a_retry_names_the_last_error(register: Register, run: Run) -> None:
    def handler(context: object) -> None:
        raise ValueError("it broke")

    job = api.enqueue(register(handler))
    run()
    text = explain(reloaded(job)).text
    assert text.startswith("the last execution failed and it will be tried again; due at ")
    assert "it broke" in text


def test_a_failed_job_says_why(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: Fail(Failure("Broken", "the text is too long", code="too_long"))))
    run()
    assert explain(reloaded(job)).text == "failed: the text is too long"


@pytest.mark.parametrize("state", list(JobState))
def test_every_state_has_words(name: str, state: JobState) -> None:
    job = Job(type=name, state=state, run_at=clock.now(), reason="by_hand")
    if state == JobState.COMPLETED:
        assert explain(job).text == ""
    else:
        assert explain(job).text


def test_what_was_postponed_says_why(register: Register, run: Run) -> None:
    later = clock.now() + timedelta(minutes=5)
    name = register(lambda context: Postpone("processing", until=later), reasons={"processing": "it is processed"})
    job = api.enqueue(name)
    run()
    assert explain(reloaded(job)).text.startswith("it is processed; due at ")
