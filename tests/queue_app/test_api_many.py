"""Operations on many jobs, and dead letters: in batches, nothing deleted, and what is left alone is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queue_app import api, claims, clock, workers
from queue_app.api import many
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import Attempt, Event, Job
from queue_app.outcomes import Fail, Failure
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

Dead = Callable[..., Job]


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context, **args: args)


@pytest.fixture
def dead(register: Register, run: Run) -> Dead:
    """Return a function that makes a dead letter with an error."""
    type_name = register(lambda context, error: Fail(Failure("Broken", error, code="broken")), "tests.broken")

    def make(error: str = "no", **options: Any) -> Job:
        job = api.enqueue(type_name, {"error": error}, **options)
        run()
        return reloaded(job)

    return make


def uncertain_then_failed(name: str) -> Job:
    api.enqueue(name)
    with atomic():
        claim = claims.claim_next({"default": 1}, None, types=[name])
    assert isinstance(claim, claims.Claim)
    JobContext(claim.job, "tests").before_irreversible_step()
    api.release_running(actor="ada")
    return api.set_status(claim.job.pk, "failed", error="seen nothing")


def test_clearing_cancels_what_waits_and_deletes_nothing(name: str) -> None:
    waiting = [api.enqueue(name), api.enqueue(name, run_at=clock.now() + timedelta(days=1))]
    elsewhere = api.enqueue(name, queue="other")
    running = api.enqueue(name, priority=1)
    lease = api.dequeue()
    assert lease is not None
    assert lease.job_id == running.pk
    assert api.clear("default", actor="ada") == 2
    assert [reloaded(job).state for job in [*waiting, elsewhere, running]] == [
        "cancelled",
        "cancelled",
        "pending",
        "running",
    ]
    assert Event.objects.filter(job__in=waiting, name="job_cancelled", actor="ada").count() == 2
    assert api.clear(actor="ada") == 1
    assert Job.objects.count() == 4


def test_clearing_leaves_housekeeping_alone(name: str) -> None:
    from queue_app import jobs

    jobs.schedule_housekeeping()
    api.enqueue(name)
    assert api.clear(actor="ada") == 1
    assert Job.objects.filter(type="queue_app.purge", state="pending").exists()


def test_batches_are_small_transactions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "BATCH", 2)
    api.enqueue_many(name, [api.NewJob()] * 5)
    with CaptureQueriesContext(connection) as queries:
        assert api.clear(actor="ada") == 5
    begun = [query["sql"] for query in queries if query["sql"].startswith("BEGIN")]
    assert len(begun) == 3


def test_jobs_that_come_while_others_are_changed_are_not_met(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "BATCH", 1)
    ids = api.enqueue_many(name, [api.NewJob()] * 2)
    met = []
    for batch in many.batches(Job.objects.filter(state="pending")):
        met += batch
        if len(met) < 5:
            api.enqueue(name)
    assert met == ids


def test_jobs_with_a_hook_are_changed_one_in_a_transaction(register: Register) -> None:
    seen: list[tuple[int, str]] = []

    def hook(job: Job, event: Event) -> None:
        if event.target == "cancelled":
            seen.append((job.pk, event.actor))

    hooked = register(lambda context: None, "tests.hooked", on_transition=hook)
    ids = [api.enqueue(hooked).pk for _ in range(3)]
    with CaptureQueriesContext(connection) as queries:
        assert api.clear(actor="ada") == 3
    assert seen == [(job_id, "ada") for job_id in ids]
    assert len([query for query in queries if query["sql"].startswith("BEGIN")]) == 3


def test_running_jobs_are_taken_back_with_their_attempt_and_marked_ones_are_not_guessed_at(name: str) -> None:
    plain, marked = api.enqueue(name, priority=1), api.enqueue(name, priority=2)
    lease = api.dequeue()
    assert lease is not None
    worker = workers.register("default", {"default": 1})
    with atomic():
        claim = claims.claim_next({"default": 1}, worker, types=[name])
    assert isinstance(claim, claims.Claim)
    JobContext(claim.job, worker.name).before_irreversible_step()
    assert api.release_running("other", actor="ada") == 0
    assert api.release_running(actor="ada") == 2
    assert (reloaded(plain).state, reloaded(plain).attempts, reloaded(plain).reason) == ("pending", 0, "taken_back")
    assert (reloaded(marked).state, reloaded(marked).attempts) == ("uncertain", 1)
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"handed_back"}
    with pytest.raises(api.LeaseLost):
        api.complete(lease)


def test_old_finished_jobs_are_cleaned_up_and_never_others(name: str, later: Later, run: Run) -> None:
    finished, waiting = api.enqueue(name), api.enqueue(name, run_at=clock.now() + timedelta(days=9))
    run()
    assert api.clean_up() == 0
    later(86_400 * 8)
    assert api.clean_up() == 1
    assert set(Job.objects.values_list("pk", flat=True)) == {waiting.pk}
    assert not Job.objects.filter(pk=finished.pk).exists()
    with pytest.raises(ValueError, match="only finished jobs are purged"):
        api.clean_up(1, ["pending"])
    for days in (-1, float("nan"), 1e9):
        with pytest.raises(ValueError, match="days is a number from 0"):
            api.clean_up(days)


def test_stale_jobs_of_outsiders_are_recovered_by_lease_or_by_age(name: str, later: Later) -> None:
    job = api.enqueue(name)
    assert api.dequeue(lease_seconds=7200) is not None
    later(1801)
    assert api.recover_stale() == 0
    assert api.recover_stale(timeout_minutes=60) == 0
    assert api.recover_stale(timeout_minutes=30) == 1
    assert reloaded(job).state == "pending"
    with pytest.raises(ValueError, match="timeout_minutes"):
        api.recover_stale(timeout_minutes=-1)


def test_dead_letters_are_found_newest_first_by_what_people_remember(dead: Dead, later: Later, name: str) -> None:
    first = dead("Disk is full", target_id="post 7")
    later(3600)
    middle = clock.now()
    second = dead("token revoked", queue="default")
    api.enqueue(name)
    assert list(api.dead_letters()) == [second, first]
    assert first.finished_at is not None
    assert (first.reason, first.last_error) == ("broken", "Disk is full")
    for search, found in {
        "disk IS": [first],
        "post 7": [first],
        str(second.pk): [second],
        "tests.broken": [second, first],
        "100%": [],
        "' OR 1=1 --": [],
    }.items():
        assert list(api.dead_letters(search=search)) == found, search
    assert list(api.dead_letters(since=middle)) == [second]
    assert list(api.dead_letters(until=middle, type="tests.broken", queue="default")) == [first]
    assert list(api.dead_letters(type="tests.job")) == []
    assert list(api.dead_letters(queue="other")) == []


def test_a_search_that_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="since needs a time zone"):
        api.dead_letters(since=datetime(2030, 1, 1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="the search is plain text"):
        api.dead_letters(search="a\0b")


def test_many_dead_letters_are_retried_and_the_others_named(dead: Dead, name: str) -> None:
    plain, doubled = dead(), dead(unique_key="once")
    maybe_live = uncertain_then_failed(name)
    taken = api.enqueue(name, unique_key="once")
    waiting = api.enqueue(name)
    answer = api.retry_many([maybe_live.pk, str(plain.pk), plain.pk, doubled.pk, waiting.pk, 4711], actor="ada")
    assert (answer.done, set(answer.skipped)) == (1, {maybe_live.pk, doubled.pk, waiting.pk, 4711})
    assert "may already have taken effect" in answer.skipped[maybe_live.pk]
    assert f"job {taken.pk} with unique key 'once'" in answer.skipped[doubled.pk]
    assert answer.skipped[waiting.pk] == f"job {waiting.pk} is pending, not failed"
    assert "there is no job" in answer.skipped[4711]
    assert [reloaded(job).state for job in (plain, doubled, maybe_live)] == ["pending", "failed", "failed"]
    assert api.retry_many([maybe_live.pk], even_if_live=True).done == 1
    with pytest.raises(ValueError, match="job id is a number"):
        api.retry_many([plain.pk, "x"])


def test_all_that_match_are_retried_or_discarded(dead: Dead, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "BATCH", 2)
    full = [dead("disk full") for _ in range(3)]
    other = dead("revoked")
    assert api.retry_all(search="disk", actor="ada").done == 3
    assert {reloaded(job).state for job in full} == {"pending"}
    assert api.discard_all("not wanted", search="revoked", actor="ada").done == 1
    assert (reloaded(other).state, reloaded(other).reason) == ("cancelled", "discarded")
    assert api.discard_many([other.pk]).skipped == {other.pk: f"job {other.pk} is cancelled, not failed"}
    assert Event.objects.get(job=other, reason="discarded").data == {"why": "not wanted"}


def test_many_jobs_are_enqueued_in_order_with_their_wishes(name: str) -> None:
    ids = api.enqueue_many(
        name,
        (api.NewJob({"n": n}, priority="high" if n else None, target_id=n) for n in range(3)),
        actor="ada",
    )
    jobs = [api.get(job_id) for job_id in ids]
    assert [(job.args, job.priority, job.target_id) for job in jobs] == [
        ({"n": 0}, 5, "0"),
        ({"n": 1}, 2, "1"),
        ({"n": 2}, 2, "2"),
    ]
    assert Event.objects.filter(job__in=ids, name="job_added", actor="ada").count() == 3


def test_of_many_jobs_none_is_enqueued_where_one_is_refused(register: Register) -> None:
    def handler(context: JobContext, number: int) -> None: ...

    typed = register(handler)
    with pytest.raises(api.InvalidArguments, match="expects number: int"):
        api.enqueue_many(typed, [api.NewJob({"number": 1}), api.NewJob({"number": "2"})])
    with pytest.raises(api.UnknownJobType):
        api.enqueue_many("nope", [api.NewJob()])
    with pytest.raises(ValueError, match="on_duplicate"):
        api.enqueue_many(typed, [], on_duplicate="ignore")  # type: ignore[arg-type]  # the point of the test
    assert not Job.objects.exists()


def test_duplicates_among_many_are_refused_or_answered_with_the_job_that_has_the_key(name: str) -> None:
    first = api.enqueue(name, unique_key="a")
    new = [api.NewJob(unique_key="a"), api.NewJob(unique_key="b"), api.NewJob(unique_key="b")]
    with pytest.raises(api.DuplicateJob) as refusal:
        api.enqueue_many(name, new)
    assert (refusal.value.existing_id, Job.objects.count()) == (first.pk, 1)
    ids = api.enqueue_many(name, new, on_duplicate="skip")
    assert (ids[0], ids[1]) == (first.pk, ids[2])
    assert Job.objects.count() == 2
