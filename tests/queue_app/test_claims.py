"""Claims on two real connections at once, and that their cost does not grow with jobs that are not due."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections

from queue_app import api, claims, clock, finish, selectors, statements, transitions
from queue_app.claims import Claim
from queue_app.database import alias, atomic, is_postgresql
from queue_app.models import Attempt, Job
from queue_app.outcomes import Done
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], object]) -> list[object]:
    """Call each function in a thread with a connection of its own; return what they returned or raised."""
    results: list[object] = [None] * len(works)
    ready = threading.Barrier(len(works))

    def go(index: int, work: Callable[[], object]) -> None:
        try:
            ready.wait(10)
            results[index] = work()
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def claim_one(name: str) -> Claim | None:
    with atomic():
        return claims.claim_next({"default": 1}, None, types=[name], holder=threading.current_thread().name)


def test_no_two_claims_take_one_job(register: Register) -> None:
    name = register(lambda context: None)
    for _ in range(10):
        api.enqueue(name)

    def claim_all() -> list[int]:
        taken = []
        while (claim := claim_one(name)) is not None:
            taken.append(claim.job.pk)
        return taken

    first, second, third = at_once(claim_all, claim_all, claim_all)
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert isinstance(third, list)
    assert sorted(first + second + third) == sorted(Job.objects.values_list("pk", flat=True))
    assert Attempt.objects.count() == 10


def test_of_finish_and_cancel_at_once_exactly_one_wins(register: Register) -> None:
    name = register(lambda context: None)
    for _ in range(10):
        job = api.enqueue(name)
        claim = claim_one(name)
        assert claim is not None

        def complete(claim: Claim = claim) -> None:
            finish.settle(claim, Done("done"))

        _, cancelled = at_once(complete, lambda job=job: api.cancel(job.pk))
        stored = reloaded(job)
        if isinstance(cancelled, Exception):
            assert stored.state == JobState.COMPLETED
        else:
            assert stored.state == JobState.CANCELLED
            assert stored.attempt_set.get().late_answer == "Done"
        assert stored.events.filter(name__in=["job_completed", "job_cancelled"]).count() == 1


def test_one_unique_key_is_taken_once_by_many_at_once(register: Register) -> None:
    name = register(lambda context: None)
    answers = at_once(*[lambda: api.enqueue(name, unique_key="once")] * 5)
    assert Job.objects.count() == 1
    assert sum(isinstance(answer, api.DuplicateJob) for answer in answers) == 4


def test_a_stale_object_cannot_be_changed(register: Register) -> None:
    job = api.enqueue(register(lambda context: None))
    stale = reloaded(job)
    api.reschedule(job.pk, clock.now())
    with pytest.raises(transitions.LostRace), atomic():
        transitions.change(stale, JobState.CANCELLED, now=clock.now(), reason="")


def test_a_claim_only_takes_types_that_it_knows(register: Register) -> None:
    api.enqueue(register(lambda context: None))
    assert claim_one("another.type") is None
    assert claim_one("tests.job") is not None


def test_what_is_due_next_is_known_without_looking_at_all_jobs(register: Register) -> None:
    name = register(lambda context: None)
    soon = clock.now() + timedelta(minutes=5)
    api.enqueue(name, run_at=soon)
    api.enqueue(name, run_at=soon + timedelta(hours=1), priority=1)
    assert claims.next_due_at(["default"], [name]) == soon
    assert not selectors.due("default", [name], clock.now(), priority=5).exists()
    assert selectors.due("default", [name], soon, priority=5).exists()


def test_the_claim_seeks_its_index(register: Register) -> None:
    """Every look-up of the claim goes through the partial index, so that future jobs cost nothing."""
    name = register(lambda context: None)
    now = clock.now()
    Job.objects.bulk_create(
        Job(type=name, run_at=now + timedelta(days=1), created_at=now, updated_at=now) for _ in range(2000)
    )
    api.enqueue(name)
    with connections[alias()].cursor() as cursor:
        cursor.execute("ANALYZE")
    explain = "EXPLAIN " if is_postgresql() else "EXPLAIN QUERY PLAN "
    for seek, params, seeks in (
        # One seek a priority: PostgreSQL runs the one that it plans for each.
        (claims.claim_sql(alias(), "default", (name,)), clock.parameters(), 1 if is_postgresql() else 10),
        (claims._first_due_sql(alias(), ("default",), (name,)), [], 10),
    ):
        plan = str(statements.fetch(explain + seek, params))
        assert plan.count("queue_app_job_due") == seeks
        assert "SCAN queue_app_job" not in plan
        assert "Seq Scan on queue_app_job" not in plan
    assert claim_one(name) is not None


def test_one_transaction_asks_the_hooks_of_one_job(register: Register, later: Later) -> None:
    asked: list[int] = []
    name = register(lambda context: None, on_transition=lambda job, event: asked.append(job.pk))
    soon = clock.now() + timedelta(seconds=5)
    for _ in range(2):
        api.enqueue(name, expires_at=soon)
    api.enqueue(name)
    later(6)
    asked.clear()
    with atomic():
        claims.claim_next({"default": 1}, None, types=[name], holder="tests")
    assert len(set(asked)) == 1
