"""Purging: what goes, what stays, and what the commands say."""

from __future__ import annotations

import io
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connections
from django.db.models import Q, QuerySet
from django.test.utils import CaptureQueriesContext

from queue_app import api, clock, database, events, jobs, purge, workers
from queue_app.context import JobContext
from queue_app.database import Atomic, alias
from queue_app.models import Event, Job, Notice, Worker
from queue_app.outcomes import Fail, Failure, Found
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run

pytestmark = pytest.mark.django_db(transaction=True)


def make(name: str, state: JobState, days_ago: float) -> Job:
    job = api.enqueue(name)
    ended = clock.now() - timedelta(days=days_ago)
    marked = ended if state == JobState.UNCERTAIN else None
    Job.objects.filter(pk=job.pk).update(state=state, finished_at=ended, created_at=ended, marked_at=marked)
    return job


def command(*args: str) -> str:
    out = io.StringIO()
    call_command("purge_jobs", *args, stdout=out)
    return out.getvalue().strip()


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


def test_only_old_finished_jobs_go_and_their_history_with_them(name: str) -> None:
    for state in JobState:
        if state != JobState.RUNNING:
            make(name, state, 8)
            make(name, state, 6)
    assert command("--days", "7", "--dry-run") == "2 jobs would be deleted"
    assert command("--days", "7") == "2 jobs deleted"
    assert Job.objects.filter(state=JobState.FAILED).count() == 2
    assert command("--days", "7", "--status", "failed") == "1 jobs deleted"
    assert Job.objects.count() == 9
    assert Event.objects.count() == 9


@pytest.mark.parametrize("days", ["-1", "1000000", "nan"])
def test_an_impossible_age_is_refused(days: str) -> None:
    with pytest.raises(CommandError, match="--days is a number of days"):
        command("--days", days)


def test_an_unfinished_state_cannot_be_purged() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        command("--status", "pending")
    with pytest.raises(ValueError, match="only finished jobs are purged"):
        purge.candidates(7, ["running"])


def test_batches_delete_everything(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    for _ in range(5):
        make(name, JobState.COMPLETED, 8)
    steps: list[int] = []
    assert purge.purge(7, progress=steps.append) == 5
    assert steps == [2, 4, 5]


def test_the_settings_keep_failures_longer_and_drop_results_in_time(name: str) -> None:
    make(name, JobState.COMPLETED, 8)
    failed = make(name, JobState.FAILED, 8)
    fresh = make(name, JobState.COMPLETED, 1)
    Job.objects.filter(pk=fresh.pk).update(result={"a": 1}, result_expires_at=clock.now() - timedelta(seconds=1))
    Notice.objects.create(kind="k", subject="s", created_at=clock.now(), cleared_at=clock.now() - timedelta(days=100))
    assert purge.purge_by_settings() == 1
    assert set(Job.objects.values_list("pk", flat=True)) == {failed.pk, fresh.pk}
    assert Job.objects.get(pk=fresh.pk).result is None
    assert not Notice.objects.exists()


def test_housekeeping_enqueues_its_next_self_and_is_not_counted(run: Run, later: Later) -> None:
    jobs.schedule_housekeeping()
    jobs.schedule_housekeeping()
    waiting = Job.objects.filter(type="queue_app.purge", state=JobState.PENDING)
    assert waiting.count() == 1
    run()
    assert waiting.get().run_at - clock.now() > timedelta(hours=23)
    assert Job.objects.filter(type="queue_app.purge", state=JobState.COMPLETED).count() == 1
    assert api.stats()["total"] == 0
    later(86_401)
    run()
    assert Job.objects.filter(type="queue_app.purge", state=JobState.COMPLETED).count() == 2


def test_a_job_that_is_retried_while_the_purge_runs_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make(name, JobState.FAILED, days_ago=100)
    gone = make(name, JobState.FAILED, days_ago=100)
    real = purge.atomic

    def meanwhile() -> Atomic:
        if api.get_status(job.pk) == JobState.FAILED:
            api.retry(job.pk)
        return real()

    monkeypatch.setattr(purge, "atomic", meanwhile)
    assert purge.purge(1) == 1
    assert list(Job.objects.filter(pk__in=[job.pk, gone.pk])) == [job]
    assert job.events.exists()


def test_a_jobs_notices_go_with_it_however_alike_they_are(register: Register, run: Run, later: Later) -> None:
    name = register(lambda context: Fail(Failure("Broken", "no")), describe=lambda job: "A post on X")
    again = api.enqueue(name)
    api.enqueue(name)
    run()
    api.retry(again.pk)
    run()
    assert Notice.objects.filter(kind="failed", subject="A post on X").count() == 3
    later(91 * 86_400)
    assert purge.purge_by_settings() == 2
    assert not Notice.objects.exists()


def test_every_part_of_the_purge_is_done_whatever_the_others_meet(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make(name, JobState.FAILED, 100)
    stale = make(name, JobState.COMPLETED, 1)
    Job.objects.filter(pk=stale.pk).update(result={"a": 1}, result_expires_at=clock.now() - timedelta(seconds=1))
    Notice.objects.create(kind="k", subject="s", created_at=clock.now(), cleared_at=clock.now() - timedelta(days=100))
    real = purge._settled

    def settled(which: Q, states: list[str]) -> QuerySet[Job]:
        if JobState.COMPLETED in states:
            raise IntegrityError("a row of the site's own names the job")
        return real(which, states)

    monkeypatch.setattr(purge, "_settled", settled)
    with pytest.raises(IntegrityError, match="a row of the site's own"):
        purge.purge_by_settings()
    assert list(Job.objects.values_list("pk", "result")) == [(stale.pk, None)]
    assert not Notice.objects.exists()


def test_a_job_whose_look_up_is_not_done_stays_with_it(register: Register, run: Run, later: Later) -> None:
    def send(context: JobContext) -> None:
        context.before_irreversible_step()
        raise ConnectionResetError

    job = api.enqueue(register(send, reconcile=lambda context, job: Found()))
    run()
    api.complete_uncertain(job.pk, None, actor="ada")
    later(8 * 86_400)
    assert purge.purge(7) == 0
    run()
    assert Job.objects.filter(reconciles=job, state=JobState.COMPLETED).exists()
    assert purge.purge(7) == 2  # its look-up goes with it
    assert not Job.objects.filter(pk=job.pk).exists()


def test_workers_go_when_they_are_silent_and_no_kept_job_names_them(name: str) -> None:
    silent, named, living = (workers.register(cluster, {"default": 1}) for cluster in ("silent", "named", "living"))
    long_ago = clock.now() - timedelta(days=2)
    Worker.objects.exclude(pk=living.pk).update(heartbeat_at=long_ago)
    kept, gone = make(name, JobState.COMPLETED, 6), make(name, JobState.COMPLETED, 8)
    Job.objects.filter(pk=kept.pk).update(worker=named)
    Job.objects.filter(pk=gone.pk).update(worker=silent)
    purge.purge_by_settings()
    assert set(Worker.objects.all()) == {named, living}
    assert Job.objects.get(pk=kept.pk).worker == named


def test_workers_and_notices_go_in_small_transactions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    now = clock.now()
    for number in range(5):
        workers.register(f"old {number}", {"default": 1})
        Notice.objects.create(kind="k", subject=str(number), created_at=now, cleared_at=now - timedelta(days=100))
    Worker.objects.update(heartbeat_at=now - timedelta(days=2))
    with CaptureQueriesContext(connections[alias()]) as queries:
        purge.purge_by_settings()
    deleted = [query["sql"] for query in queries if query["sql"].startswith("DELETE")]
    assert [
        sum(f'"{table}"' in sql.partition("WHERE")[0] for sql in deleted)
        for table in ("queue_app_worker", "queue_app_notice")
    ] == [5, 3]
    assert not any("UPDATE" in query["sql"] for query in queries)
    assert not Worker.objects.exists()
    assert not Notice.objects.exists()


def test_others_get_sqlites_write_lock_between_two_batches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    for _ in range(5):
        make(name, JobState.COMPLETED, 8)
    path, rests = str(connections[alias()].settings_dict["NAME"]), []

    def sleep(seconds: float) -> None:
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with closing(other):
            other.execute("BEGIN IMMEDIATE")
        rests.append(seconds)

    monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    assert purge.purge(7) == 5
    assert len(rests) == (0 if database.is_postgresql() else 3)
    assert all(seconds > 0 for seconds in rests)


def test_a_job_that_ends_while_the_purge_begins_does_not_keep_it_for_ever(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(name, JobState.COMPLETED, 1)
    began = clock.now() - timedelta(days=2)
    moments = iter([began, *[clock.now()] * 5])
    monkeypatch.setattr(clock, "now", lambda: next(moments))
    assert purge.purge(0) == 0


def test_old_events_that_belong_to_no_job_go_by_their_age(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    kept = api.enqueue(name)
    old = clock.now() - timedelta(days=91)
    for _number in range(3):
        events.record("shop.sold", {})
    Event.objects.update(at=old)
    young = events.record("shop.sold", {})
    purge.purge_by_settings()
    assert list(Event.objects.order_by("pk").values_list("job", "pk")[1:]) == [(None, young.pk)]
    assert Event.objects.filter(job=kept).exists()


def test_other_apps_are_asked_to_keep_house_too_and_one_that_breaks_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def breaks(now: object) -> int:
        asked.append("breaks")
        raise ValueError("broken")

    def works(now: object) -> int:
        asked.append("works")
        return 1

    monkeypatch.setattr(purge, "_others", [])
    purge.housekeeping(breaks)
    purge.housekeeping(works)
    with pytest.raises(ValueError, match="broken"):
        purge.purge_by_settings()
    assert asked == ["breaks", "works"]
