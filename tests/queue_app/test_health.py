"""Health: each thing that can be wrong, its threshold, and what a monitor gets to see."""

from __future__ import annotations

import io
import json
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import Settings

from queue_app import alerts, api, clock, jobs, readiness, workers
from queue_app.health import Health, health, health_check
from queue_app.models import Event, Job, Worker
from queue_app.outcomes import Fail, Failure, Outcome
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run
from tests.queue_app.locks import held_lock
from tests.queue_app.test_selectors import put
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


def sign_in(cluster: str = "one", number: int = 1, queue: str = "default") -> list[Worker]:
    """Let a cluster's workers sign in; this process stands for all of them."""
    return [workers.register(cluster, {queue: 1}) for _ in range(number)]


def fall_silent(rows: list[Worker], minutes: float = 5) -> None:
    at = clock.now() - timedelta(minutes=minutes)
    Worker.objects.filter(pk__in=[row.pk for row in rows]).update(heartbeat_at=at, started_at=at)


def problem() -> str:
    (found,) = health().problems
    return found


def test_a_queue_with_nothing_to_do_is_healthy() -> None:
    assert health() == Health()
    assert health().healthy


def test_due_jobs_that_no_worker_serves_are_a_problem(name: str) -> None:
    api.enqueue(name)
    assert problem() == (
        "The queue 'default' has 1 due and no worker serves it: start one with python manage.py qcluster"
    )
    sign_in(queue="facebook")
    assert "'default' has 1 due" in problem()
    sign_in()
    assert health().healthy


def test_jobs_that_are_not_due_need_no_worker(name: str) -> None:
    api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    assert health().healthy


def test_alerts_when_under_80_percent_of_workers_live() -> None:
    rows = sign_in(number=10)
    fall_silent(rows[:2])
    assert health().healthy
    fall_silent(rows[:3])
    assert problem() == "7 of 10 workers live; under 80% is too few: see why the others fell silent"


def test_workers_that_stopped_in_order_are_not_missing() -> None:
    sign_in("one", 4)
    workers.stopped("one")
    sign_in("two")
    assert health().healthy


def test_a_cluster_that_was_started_again_stands_in_for_the_one_that_was_lost() -> None:
    fall_silent(sign_in("one", 4))
    sign_in("two", 2)
    assert problem().startswith("2 of 4 workers live")
    sign_in("two", 2)
    assert health().healthy


def test_a_cluster_of_other_queues_or_from_before_stands_in_for_nobody(later: Later) -> None:
    fall_silent(sign_in("older", 1), minutes=30)
    Worker.objects.update(heartbeat_at=clock.now())
    fall_silent(sign_in("one", 2))
    sign_in("two", 2, queue="facebook")
    assert problem().startswith("3 of 5 workers live")


def test_workers_that_were_taken_away_for_good_are_forgotten() -> None:
    fall_silent(sign_in("one", 4), minutes=61)
    assert health().healthy


def test_alerts_when_over_1000_wait(name: str, settings: Settings) -> None:
    sign_in()
    settings.SOCIALQ = {**settings.SOCIALQ, "HEALTH_MAX_WAITING": 3}
    for _ in range(3):
        api.enqueue(name)
    api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    assert health().healthy
    api.enqueue(name)
    assert problem() == "4 jobs are due and wait; over 3 is too many: start more workers"


def test_alerts_when_a_job_has_been_due_for_over_5_minutes(name: str, later: Later) -> None:
    sign_in()
    api.enqueue(name)
    later(299)
    Worker.objects.update(heartbeat_at=clock.now())
    assert health().healthy
    later(2)
    assert problem().startswith("A job has been due for 301 s; over 300 is too long")


def test_a_database_without_the_newest_tables_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "unapplied", lambda: ["posts.0099_more", "posts.0100_most"])
    assert problem() == ("The database lacks the migration posts.0099_more and 1 more: run python manage.py migrate")


def test_alerts_when_over_5_percent_failed(name: str) -> None:
    for _ in range(19):
        put(api.enqueue(name), JobState.COMPLETED)
    put(api.enqueue(name), JobState.FAILED)
    assert health().healthy
    put(api.enqueue(name), JobState.FAILED)
    assert problem() == "2 of the 21 jobs of the last hour failed (9.5%; over 5.0% is too many)"
    Job.objects.filter(state=JobState.FAILED).update(finished_at=clock.now() - timedelta(minutes=61))
    assert health().healthy


@pytest.mark.parametrize(("skew", "words"), [(7.25, "7.2 s ahead of"), (-3600.0, "3600.0 s behind")])
def test_a_clock_that_is_off_by_more_than_5_seconds_is_a_problem(skew: float, words: str) -> None:
    (worker,) = sign_in()
    Worker.objects.update(clock_skew_seconds=4.9)
    assert health().healthy
    Worker.objects.update(clock_skew_seconds=skew)
    assert problem() == f"The clock of {worker.host} is {words} the queue's: set it right"


# --- The command -----------------------------------------------------------------------------------------------------


def test_housekeeping_that_failed_is_a_problem_until_it_succeeds(register: Register, run: Run, later: Later) -> None:
    answers: list[Outcome | None] = [Fail(Failure("Broken", "the disk is full\nand more")), None]
    name = register(lambda context: answers.pop(0), every_seconds=3600, internal=True)
    jobs.schedule_housekeeping()
    run()
    assert problem() == f"The queue's own {name} failed: the disk is full"
    later(3601)
    run()
    assert health().healthy


def test_notices_that_reach_nobody_are_a_problem(later: Later) -> None:
    alerts.tell("reconnect", "Ada on X", "access was revoked")
    Job.objects.all().delete()  # what should have mailed it
    assert health().healthy
    later(3601)
    said = "Notices that have reached nobody for over an hour: 1; see why queue_app.deliver_notices fails"
    assert problem() == said


def test_check_health_says_healthy_with_exit_code_0() -> None:
    out = io.StringIO()
    call_command("check_health", stdout=out)
    assert out.getvalue() == "healthy\n"


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_check_health_ends_with_code_1_and_what_is_wrong(name: str, option: tuple[str, ...]) -> None:
    api.enqueue(name)
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("check_health", *option, stdout=out)
    assert ended.value.code == 1
    (found,) = health().problems
    if option:
        assert json.loads(out.getvalue()) == {"healthy": False, "problems": [found]}
    else:
        assert out.getvalue() == f"{found}\n"


def test_a_database_that_is_away_is_a_problem_in_one_line_without_its_password(site: Site) -> None:
    site.env["DATABASE_URL"] = "postgres://ann:CANARY@127.0.0.1:1/socialq"
    done = site.manage("check_health", "--json", check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["healthy"], len(told["problems"])) == (1, False, 1)
    assert told["problems"][0].startswith("The database cannot be used: connection failed")
    assert "CANARY" not in done.stdout + done.stderr


# --- Writing, and what other apps add --------------------------------------------------------------------------------


def test_a_database_that_is_locked_is_a_problem_said_in_a_few_seconds() -> None:
    started = time.monotonic()
    with held_lock(patience_ms=60_000):
        (found,) = health().problems
    assert found == (
        "The database cannot be written: something else has held its lock for over 2 s; see what it is, and end it"
    )
    assert time.monotonic() - started < 10
    assert health().healthy


def test_trying_to_write_leaves_nothing_and_changes_no_setting_of_the_connection(name: str) -> None:
    api.enqueue(name)
    sign_in()
    waits = "SHOW lock_timeout" if connection.vendor == "postgresql" else "PRAGMA busy_timeout"
    with connection.cursor() as cursor:
        cursor.execute(waits)
        before = cursor.fetchone(), list(Event.objects.values_list("pk"))
        with transaction.atomic():
            assert health().healthy
            cursor.execute(waits)
            assert (cursor.fetchone(), list(Event.objects.values_list("pk"))) == before
        cursor.execute(waits)
        assert (cursor.fetchone(), list(Event.objects.values_list("pk"))) == before


def test_other_apps_add_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_app.health._checks", [])
    health_check(lambda: ["The kettle is empty: fill it"])
    assert problem() == "The kettle is empty: fill it"
