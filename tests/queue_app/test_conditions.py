"""Conditions that are looked for: queues that are late and health's thresholds, each one incident with an end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.test import override_settings
from pytest_django import Settings

from queue_app import api, clock, conditions, workers
from queue_app.models import Job, Notice, Worker
from queue_app.pauses import pause
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run
from tests.queue_app.test_selectors import put

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


@pytest.fixture(autouse=True)
def worker() -> Worker:
    return workers.register("c", {"default": 1})


def alive() -> None:
    Worker.objects.exclude(cluster="d").update(heartbeat_at=clock.now())


def found() -> list[tuple[str, str, str]]:
    alive()
    return [(one.kind, one.subject, one.text) for one in conditions.holding(clock.now())]


def check() -> list[str]:
    """Look once; return the kinds of the incidents that are open."""
    alive()
    conditions.check()
    return list(Notice.objects.filter(cleared_at=None).order_by("kind").values_list("kind", flat=True))


def test_a_queue_is_late_once_its_oldest_due_job_has_waited_for_five_minutes(name: str, later: Later) -> None:
    api.enqueue(name)
    api.enqueue(name, queue="slow", run_at=clock.now() + timedelta(hours=1))
    later(299)
    assert found() == []
    later(61)
    assert found() == [
        ("queue_late", "Queue default", "Its oldest due job has waited for 6 minutes: start more workers.")
    ]


def test_of_a_queue_that_nobody_serves_it_is_said(name: str, later: Later) -> None:
    api.enqueue(name, queue="slow")
    later(360)
    ((kind, subject, text),) = found()
    assert (kind, subject) == ("queue_late", "Queue slow")
    assert text.endswith("no worker serves it: start one with python manage.py qcluster --name slow")


@pytest.mark.parametrize("key", ["all", "queue:default"])
def test_what_a_pause_keeps_is_not_late_whether_or_not_a_worker_has_met_it(
    name: str, later: Later, run: Run, key: str
) -> None:
    pause(key, reason="lunch", actor="ada")
    api.enqueue(name)
    later(360)
    assert found() == []
    run()
    assert found() == []


def test_an_incident_is_opened_once_and_over_when_it_has_not_held_for_a_minute(
    name: str, later: Later, run: Run
) -> None:
    job = api.enqueue(name)
    later(360)
    assert check() == check() == ["queue_late"]
    Job.objects.filter(pk=job.pk).update(run_at=clock.now() + timedelta(hours=1))
    assert check() == ["queue_late"]
    later(30)
    Job.objects.filter(pk=job.pk).update(run_at=clock.now() - timedelta(hours=1))
    assert check() == ["queue_late"]
    Job.objects.filter(pk=job.pk).update(run_at=clock.now() + timedelta(hours=1))
    later(31)
    assert check() == ["queue_late"]
    later(61)
    assert check() == []
    assert Notice.objects.count() == 1


def test_it_is_told_while_the_queue_is_late_and_when_it_is_not_any_more(name: str, later: Later, run: Run) -> None:
    with override_settings(ADMINS=[("Ada", "ada@example.org")]):
        waits = api.enqueue(name, priority=2)
        later(360)
        check()
        later(11)
        Job.objects.filter(pk=waits.pk).update(queue="slow")
        run()
        for seconds in (0, 61, 11):
            Job.objects.filter(pk=waits.pk).update(run_at=clock.now() + timedelta(hours=1))
            later(seconds)
            check()
        run()
    assert [message.subject for message in mail.outbox] == [
        "[Django] Queue default: is late",
        "[Django] Queue default: is in time again",
    ]


def test_too_many_that_wait_are_one_incident(name: str, settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "HEALTH_MAX_WAITING": 3}
    for _ in range(4):
        api.enqueue(name)
    assert found() == [
        ("too_many_waiting", "The queue", "4 jobs are due and wait; over 3 is too many: start more workers")
    ]


def test_too_many_that_fail_are_an_incident_but_a_few_are_told_one_by_one(name: str) -> None:
    for number in range(10):
        assert check() == [], number
        put(api.enqueue(name), JobState.FAILED)
    assert check() == ["too_many_errors"]


def test_workers_that_are_missing_are_an_incident() -> None:
    rows = [workers.register("d", {"default": 1}) for _ in range(2)]
    silent_at = clock.now() - timedelta(minutes=5)
    Worker.objects.filter(pk__in=[row.pk for row in rows]).update(heartbeat_at=silent_at, started_at=silent_at)
    assert check() == ["workers_missing"]


def test_where_nobody_works_nothing_else_is_found(name: str, later: Later) -> None:
    api.enqueue(name)
    later(360)
    conditions.check()
    assert not Notice.objects.exists()


def test_one_cluster_looks_for_all() -> None:
    workers.register("b", {"default": 1})
    assert workers.first_cluster(clock.now()) == "b"
