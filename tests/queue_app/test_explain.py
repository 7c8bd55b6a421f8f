"""Why a job is not running, in words."""

from __future__ import annotations

import ast
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

import queue_app
from queue_app import api, blocks, clock, gates, rescue, workers
from queue_app.database import atomic
from queue_app.explain import GATES, REASONS, TIME, explain, start_command
from queue_app.models import BlockKind, Job
from queue_app.outcomes import BlockRequest, Fail, Failure, Postpone
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


def test_a_job_of_the_future_says_when(name: str) -> None:
    at = clock.now() + timedelta(hours=1)
    explanation = explain(api.enqueue(name, run_at=at))
    assert explanation.text == f"due at {at:%Y-%m-%d %H:%M:%S} UTC"
    assert explanation.until == at


def test_a_job_is_explained_by_its_id_too(name: str) -> None:
    job = api.enqueue(name, run_at=clock.now() + timedelta(hours=1))
    assert api.explain(job.pk) == api.explain(str(job.pk)) == api.explain(job)
    with pytest.raises(api.JobNotFound, match="there is no job 4711"):
        api.explain(4711)


def test_a_due_job_without_a_worker_says_how_to_start_one(name: str) -> None:
    assert "start one with python manage.py qcluster" in explain(api.enqueue(name)).text


def test_a_due_job_says_how_many_are_ahead(name: str) -> None:
    workers.register("c", {"default": 1})
    first, second, third = (api.enqueue(name) for _ in range(3))
    assert explain(first).text == "due now, next in line"
    assert explain(second).text == "due, behind 1 other"
    assert explain(third).text == "due, behind 2 others"
    assert explain(third).blockers == ()


def test_those_ahead_are_the_ones_that_a_claim_takes_first(name: str) -> None:
    workers.register("c", {"default": 1})
    job = api.enqueue(name)
    api.enqueue(name, priority=1)
    api.enqueue(name, priority=9)
    api.enqueue(name, run_at=job.run_at)
    api.enqueue(name, run_at=clock.now() + timedelta(hours=1), priority=1)
    gone = api.enqueue(name, priority=1)
    Job.objects.filter(pk=gone.pk).update(type="gone.type")
    assert explain(job).text == "due, behind 1 other"


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
        assert explain(moment).text == f"the platform asked to wait (account:7): 20 a day, until {until:{TIME}}"
        assert explain(moment).until == until
        run()


def test_a_cool_down_under_a_key_that_the_job_does_not_carry_is_named_until_it_is_over(
    register: Register, run: Run, later: Later
) -> None:
    until = clock.now() + timedelta(minutes=5)
    wait = BlockRequest("account:8", BlockKind.RATE_LIMIT, "20 a day", until)
    answers = [Postpone("rate_limited", block=wait)]
    job = api.enqueue(register(lambda context: answers.pop() if answers else None), keys=["account:7"])
    run()
    rescue.rescue()
    explained = explain(reloaded(job))
    assert explained.text == f"the platform asked to wait (account:8): 20 a day, until {until:{TIME}}"
    assert (explained.until, explained.expected_at) == (until, until)
    later(301)
    assert explain(reloaded(job)).text == "set aside under account:8, about to be let go"
    gates.open_due()
    assert run() == 1


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
    explained = explain(job)
    assert bool(explained.text) == (state != JobState.COMPLETED)
    assert [blocker.code for blocker in explained.blockers] == ["no_worker" if state == JobState.PENDING else state]


def test_every_reason_that_the_queue_gives_has_words() -> None:
    given = set()
    for file in Path(queue_app.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "reason" and isinstance(node.value, ast.Constant):
                given.add(node.value.value)
    assert {"worker_lost", "expired", "by_hand"} & given
    assert given <= set(REASONS)


def test_every_kind_of_gate_has_words() -> None:
    assert set(GATES) == {*BlockKind, gates.LIMIT, gates.BREAKER, gates.TURN}


def test_all_that_keeps_a_job_is_told_and_what_lasts_longest_in_the_sentence(name: str) -> None:
    now = clock.now()
    with atomic():
        blocks.place("all", BlockKind.PAUSE, now=now, reason="moving house")
        blocks.place("account:7", BlockKind.RATE_LIMIT, now=now, until=now + timedelta(hours=2))
    job = api.enqueue(name, keys=["account:7"], run_at=now + timedelta(hours=1), expires_at=now + timedelta(hours=3))
    explained = explain(job)
    assert explained.text == "paused (all): moving house"
    assert [blocker.code for blocker in explained.blockers] == ["pause", "rate_limit", "not_due"]
    assert (explained.until, explained.expected_at) == (None, None)
    blocks.lift("all", BlockKind.PAUSE)
    assert explain(job).until == now + timedelta(hours=2)


def test_a_job_that_will_be_dropped_says_so(name: str, later: Later) -> None:
    workers.register("c", {"default": 1})
    job = api.enqueue(name, expires_at=clock.now() + timedelta(seconds=30))
    assert explain(job).blockers == ()
    later(31)
    assert explain(job).text.startswith("its time was over at ")
    assert explain(job).expected_at is None


def test_a_used_up_limit_is_named_with_its_rates_and_when_it_is_the_jobs_turn(
    register: Register, run: Run, later: Later
) -> None:
    name = register(lambda context: None, limits={"platform:*": "1/h"})
    jobs = [api.enqueue(name, keys=["platform:x"]) for _ in range(3)]
    run()
    first, second = explain(reloaded(jobs[1])), explain(reloaded(jobs[2]))
    assert first.until == first.expected_at == second.until
    assert first.until is not None
    said = f"the limit is used up (tests.job platform:x): 1/h, until {first.until:{TIME}}"
    assert first.text == said
    assert second.text == f"{said}; it will run about {first.until + timedelta(hours=1):{TIME}}"
    later(3601)
    workers.heartbeat("tests")
    assert explain(reloaded(jobs[1])).text == "set aside under tests.job platform:x, about to be let go"
    assert explain(reloaded(jobs[2])).text.startswith("set aside under tests.job platform:x, behind 1 other; it will ")


def test_a_job_that_others_go_before_says_so(register: Register, run: Run, later: Later) -> None:
    name = register(lambda context: None, limits={"platform:*": "1/h"})
    waiting = [api.enqueue(name, keys=["platform:x"]) for _ in range(2)][1]
    run()
    later(3601)
    workers.heartbeat("tests")
    job = api.enqueue(name, keys=["platform:x"])
    explained = explain(job)
    assert [blocker.code for blocker in explained.blockers] == [gates.TURN]
    assert explained.text.startswith(
        "it is not its turn yet (tests.job platform:x): others that wait for the limit go first; it will run about "
    )
    assert explained.expected_at is not None
    assert explained.expected_at - clock.now() > timedelta(minutes=59)
    assert explain(reloaded(waiting)).text == "set aside under tests.job platform:x, about to be let go"


def test_a_breaker_tells_the_last_error(register: Register, run: Run, settings: Any) -> None:
    def handler(context: object) -> None:
        raise ValueError("it is down")

    settings.SOCIALQ = {**settings.SOCIALQ, "BREAKER_FAILURES": 1}
    name = register(handler, breaker="account:*")
    jobs = [api.enqueue(name, keys=["account:7"]) for _ in range(2)]
    run()
    explained = explain(reloaded(jobs[1]))
    assert explained.until is not None
    assert explained.text == (
        f"it failed again and again and is left alone (account:7): it is down, until {explained.until:{TIME}}"
    )


@pytest.mark.parametrize(
    ("clusters", "queue", "command"),
    [
        ({}, "default", "python manage.py qcluster"),
        ({}, "social", "python manage.py qcluster --name social"),
        ({"all": "default:2 social:1"}, "social", "python manage.py qcluster --name social"),
        ({"all": "a b", "a": "c"}, "a", "python manage.py qcluster --name all"),
        ({"default": "a b"}, "a", "python manage.py qcluster"),
        ({"default": "a b"}, "default", ""),
        ({}, "two words", "python manage.py qcluster --name 'two words'"),
    ],
)
def test_the_command_starts_a_cluster_that_serves_the_queue(
    settings: Any, clusters: dict[str, str], queue: str, command: str
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "CLUSTERS": clusters}
    assert start_command(queue) == command


def test_a_worker_of_several_queues_serves_each(name: str) -> None:
    job = api.enqueue(name, queue="social")
    assert explain(job).text == (
        "due, but no worker serves the queue 'social': start one with python manage.py qcluster --name social"
    )
    workers.register("c", {"default": 1, "social": 3})
    assert explain(job).blockers == ()


def test_the_command_prints_what_keeps_a_job(name: str, run: Run) -> None:
    with atomic():
        blocks.place("all", BlockKind.PAUSE, now=clock.now(), reason="moving\nhouse", until=clock.now() + timedelta(1))
    job = api.enqueue(name)
    run()
    out = io.StringIO()
    call_command("explain_job", str(job.pk), stdout=out)
    lines = out.getvalue().splitlines()
    explained = explain(reloaded(job))
    assert lines[:2] == [f"tests.job #{job.pk}: pending", f"why: {explained.text.replace(chr(10), ' ')}"]
    assert lines[2] == f"runs about: {explained.expected_at:{TIME}}"
    assert lines[3] == "last events:"
    assert [line.split(" UTC ")[1] for line in lines[4:]] == [
        "added - to pending",
        "changed: set aside under a blocked key",
    ]


@pytest.mark.parametrize(
    ("word", "said"), [("1x", "is a number"), ("99", "there is no job 99"), ("", "cannot be empty")]
)
def test_the_command_says_what_it_cannot_find(word: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("explain_job", word)


def test_what_was_postponed_says_why(register: Register, run: Run) -> None:
    later = clock.now() + timedelta(minutes=5)
    name = register(lambda context: Postpone("processing", until=later), reasons={"processing": "it is processed"})
    job = api.enqueue(name)
    run()
    assert explain(reloaded(job)).text.startswith("it is processed; due at ")
