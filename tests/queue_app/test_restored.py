"""After a restore: what was unfinished waits for a person, and goes on when one says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from queue_app import api, claims, clock, explain, pauses, registry, restored, workers
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import AttemptOutcome, Event, Job, Notice, Worker
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: "ran")


def start(name: str, *, mark: bool = False) -> Job:
    api.enqueue(name)
    with atomic():
        claim = claims.claim_next({"default": 1}, workers.register("lost", {"default": 1}), types=[name])
    assert claim is not None
    if mark:
        JobContext(claim.job, "lost").before_irreversible_step()
    return claim.job


def restore() -> restored.Held:
    restored.pause("Restored.")
    return restored.hold_unfinished()


def test_what_waited_is_held_and_a_marked_job_is_to_be_reviewed(name: str, run: Run) -> None:
    running, marked = start(name), start(name, mark=True)
    due, coming = api.enqueue(name), api.enqueue(name, run_at=clock.now() + timedelta(days=30))
    assert restore() == restored.Held(held=3, to_review=1)
    assert {(reloaded(job).state, reloaded(job).reason) for job in (due, coming, running)} == {("held", "restored")}
    assert [reloaded(job).attempts for job in (running, marked)] == [0, 1]
    assert reloaded(marked).state == JobState.UNCERTAIN
    assert reloaded(marked).needs_review_at is not None
    assert set(Job.objects.exclude(attempt_set=None).values_list("attempt_set__outcome", flat=True)) == {
        AttemptOutcome.HANDED_BACK,
        AttemptOutcome.LOST,
    }
    assert "restored from a backup" in explain.explain(reloaded(coming)).text
    assert not Worker.objects.exists()
    assert run() == 0


def test_nobody_is_told_of_each_held_job(name: str) -> None:
    api.enqueue(name)
    restore()
    assert not Notice.objects.exists()


def test_a_restore_looks_nothing_up_and_drops_what_the_queue_did_by_itself(register: Register, run: Run) -> None:
    own = register(lambda context: None, "tests.own", internal=True)
    periodic = register(lambda context: None, "tests.tick", internal=True, every_seconds=60)
    marked = start(register(lambda context: None, reconcile=lambda context, job: None), mark=True)
    part, tick = api.enqueue(own), api.enqueue(periodic)
    restore()
    assert reloaded(marked).state == JobState.UNCERTAIN
    assert not Job.objects.filter(type=registry.RECONCILE).exclude(state=JobState.CANCELLED).exists()
    assert (reloaded(part).state, reloaded(tick).state) == (JobState.CANCELLED, JobState.PENDING)
    assert run() == 0, "everything is paused"


def test_holding_twice_changes_nothing(name: str) -> None:
    api.enqueue(name)
    first, events = restore(), Event.objects.count()
    assert restore() == first
    assert Event.objects.count() == events


def test_what_is_due_later_keeps_its_time_when_it_is_released(name: str, run: Run, later: Later) -> None:
    stopped = clock.now()
    due, coming = api.enqueue(name), api.enqueue(name, run_at=stopped + timedelta(hours=1))
    Job.objects.filter(pk=due.pk).update(run_at=stopped - timedelta(hours=1))
    restore()
    assert restored.release(stopped) == 1
    assert not restored.is_paused()
    assert [job.state for job in (reloaded(due), reloaded(coming))] == [JobState.HELD, JobState.PENDING]
    assert run() == 0
    later(3601)
    assert run() == 1
    assert [job.state for job in (reloaded(due), reloaded(coming))] == [JobState.HELD, JobState.COMPLETED]


def test_what_was_due_is_said_to_be_out_perhaps_and_runs_when_released(name: str, run: Run) -> None:
    due, coming = api.enqueue(name), api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    restore()
    assert [api.may_have_taken_effect(reloaded(job)) for job in (due, coming)] == [True, False]
    pauses.resume("all")
    assert run() == 0
    api.release(due.pk)
    assert run() == 1
    assert reloaded(due).state == JobState.COMPLETED


def test_all_can_be_released_but_not_what_a_person_had_held_before(name: str) -> None:
    mine, other = api.enqueue(name), api.enqueue(name)
    api.hold(mine.pk, "wait")
    restore()
    assert restored.release() == 1
    assert [job.state for job in (reloaded(mine), reloaded(other))] == [JobState.HELD, JobState.PENDING]


def test_programs_that_follow_events_by_id_miss_none(name: str) -> None:
    api.enqueue(name)
    last = Event.objects.latest("pk").pk
    restore()
    # The system of before may have written many since, under the ids that come next.
    assert Event.objects.filter(pk__gt=last).earliest("pk").pk > last + 1_000_000
    assert Event.objects.filter(pk__gt=last).exists()


def test_two_restores_of_one_backup_give_out_no_event_id_twice(name: str, later: Later) -> None:
    Event.objects.all().delete()
    api.enqueue(name)
    newest = Event.objects.latest("pk").pk
    restore()
    first = set(Event.objects.filter(pk__gt=newest).values_list("pk", flat=True))
    # The backup is brought back once more: its tables, and where their ids had come to.
    Job.objects.update(state=JobState.PENDING, reason="")
    Event.objects.filter(pk__gt=newest).delete()
    with atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [Event._meta.db_table, newest])
        else:
            cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = %s", [newest, Event._meta.db_table])
    later(86_400)
    restore()
    assert Event.objects.filter(pk__gt=newest).earliest("pk").pk > max(first) + 1_000_000


def test_a_pause_that_a_person_has_placed_since_stays(name: str) -> None:
    api.enqueue(name)
    restore()
    pauses.pause("all", actor="ada")
    restored.release()
    assert [block.actor for block in pauses.paused()] == ["ada"]


def test_what_is_held_expires_as_usual(name: str, later: Later) -> None:
    from queue_app import rescue

    job = api.enqueue(name, expires_at=clock.now() + timedelta(hours=1))
    restore()
    later(3601)
    rescue.rescue()
    assert (reloaded(job).state, reloaded(job).reason) == (JobState.CANCELLED, "expired")
