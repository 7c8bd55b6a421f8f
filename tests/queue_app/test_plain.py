"""Plain jobs: that the short way writes what the long way writes, and leaves to it what is not plain."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from django.db import connections
from django.forms.models import model_to_dict

from queue_app import api, claims, clock, database, finish, pauses, plain, registry, routes, statements, workers
from queue_app.claims import Claim, SetAside
from queue_app.context import JobContext
from queue_app.database import alias, atomic, is_postgresql
from queue_app.models import Attempt, Event, Job, Worker
from queue_app.outcomes import Done
from queue_app.signals import status_updated
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded
from tests.queue_app.test_claims import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker() -> Worker:
    return workers.register("tests", routes.queues_of("default"))


def take(worker: Worker, *names: str, queues: tuple[str, ...] = ("default",)) -> Claim | SetAside | None:
    return plain.take(dict.fromkeys(queues, 1), worker, names, plain.types_among(names))


def written(job: Job) -> dict[str, Any]:
    """Return all that is stored of a job, less what differs between two of them and the moments, told as order."""
    rows = [reloaded(job), Attempt.objects.get(job=job), Event.objects.filter(job=job).latest("id")]
    found = {}
    for row in rows:
        values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
        started = reloaded(job).started_at
        for name, value in values.items():
            if name in ("id", "job_id", "created_at", "run_at"):
                continue
            moment = hasattr(value, "tzinfo")
            found[f"{type(row).__name__}.{name}"] = (value - started).total_seconds() if moment else value
    return found


def test_a_short_start_writes_what_every_start_writes(register: Register, worker: Worker) -> None:
    name = register(lambda context: None, timeout_seconds=70)
    long, short = api.enqueue(name), api.enqueue(name)
    with atomic():
        first = claims.claim_next({"default": 1}, worker, types=[name])
    second = take(worker, name)
    assert isinstance(first, Claim)
    assert isinstance(second, Claim)
    assert (first.job.pk, second.job.pk) == (long.pk, short.pk)
    assert written(long) == written(short)
    stored = reloaded(short)
    assert model_to_dict(second.job) == model_to_dict(stored)
    assert type(second.job.state) is JobState
    assert second.attempt == type(first.attempt)(number=1, fence=stored.fence, started_at=stored.started_at)


@pytest.mark.parametrize(
    "options",
    [
        {"on_transition": lambda job, event: None},
        {"limits": {"type:tests.job": "5/1m"}},
        {"breaker": "account:*"},
    ],
    ids=["hook", "limit", "breaker"],
)
def test_a_type_with_something_of_its_own_is_not_plain(
    register: Register, worker: Worker, options: dict[str, Any]
) -> None:
    special, simple = register(lambda context: None, **options), register(lambda context: None, name="tests.simple")
    assert [name for name, _seconds in plain.types_among([special, simple])] == [simple]
    job = api.enqueue(special)
    assert isinstance(take(worker, special, simple), SetAside)
    assert reloaded(job).state == JobState.PENDING


def test_no_type_is_plain_where_the_site_has_limits_or_a_listener(register: Register, settings: Any) -> None:
    name = register(lambda context: None)

    def listen(**_told: Any) -> None:
        """Be there."""

    assert plain.types_among([name]) == ((name, claims.lease_seconds_of(name)),)
    status_updated.connect(listen)
    try:
        assert plain.types_among([name]) == ()
    finally:
        status_updated.disconnect(listen)
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"account:*": "5/1m"}}
    assert plain.types_among([name]) == ()


def test_nothing_is_started_while_anything_is_blocked(register: Register, worker: Worker) -> None:
    name = register(lambda context: None)
    job = api.enqueue(name)
    pauses.pause("account:elsewhere")
    assert isinstance(take(worker, name), SetAside)
    assert reloaded(job).state == JobState.PENDING
    pauses.resume("account:elsewhere")
    assert isinstance(take(worker, name), Claim)


def test_what_has_expired_is_not_started(register: Register, worker: Worker, later: Later) -> None:
    name = register(lambda context: None)
    job = api.enqueue(name, expires_at=clock.now() + timedelta(seconds=5))
    api.enqueue(name)
    later(6)
    assert isinstance(take(worker, name), SetAside)
    assert reloaded(job).state == JobState.PENDING


def test_of_several_queues_all_are_looked_into(register: Register, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    name = register(lambda context: None)
    monkeypatch.setattr(routes, "queues_of", lambda cluster: {"slow": 1, "quick": 1, "rare": 1})
    jobs = [api.enqueue(name, queue=queue) for queue in ("slow", "quick", "rare") * 3]
    assert run() == len(jobs)
    assert {reloaded(job).state for job in jobs} == {JobState.COMPLETED}


def test_no_two_take_one_job(register: Register, worker: Worker) -> None:
    name = register(lambda context: None)
    for _ in range(12):
        api.enqueue(name)

    def take_all() -> list[int]:
        taken = []
        for _ in range(30):
            claim = take(worker, name)
            taken += [claim.job.pk] if isinstance(claim, Claim) else []
        return taken

    taken = at_once(take_all, take_all, take_all)
    assert all(isinstance(each, list) for each in taken), taken
    assert sorted(chain.from_iterable(taken)) == sorted(Job.objects.values_list("pk", flat=True))
    assert Attempt.objects.count() == 12


def test_an_answer_that_comes_too_late_starts_nothing(register: Register, run: Run) -> None:
    """The statement that would have ended the job and started the next one has not been."""
    runs: list[int] = []

    def handler(context: JobContext) -> None:
        runs.append(context.job.pk)
        if len(runs) == 1:
            api.release_running(actor="tests")

    name = register(handler)
    job, next_one = api.enqueue(name), api.enqueue(name)
    assert run() == 3
    assert sorted(runs) == sorted([job.pk, job.pk, next_one.pk])
    assert [each.late_answer for each in Attempt.objects.filter(job=job).order_by("id")] == ["Done", ""]
    assert reloaded(job).state == reloaded(next_one).state == JobState.COMPLETED
    assert Attempt.objects.filter(job=next_one).count() == 1


def test_on_postgresql_a_plain_job_costs_one_statement(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_postgresql():
        pytest.skip("SQLite has no round trips")
    name = register(lambda context: None)
    run()
    for _ in range(10):
        api.enqueue(name)
    sent: list[str] = []
    real: Callable[..., Any] = database._send
    monkeypatch.setattr(database, "_send", lambda said, *more: (sent.append(said[-1][0]), real(said, *more))[1])
    assert run() == 10
    # One finds the first job, ten end one each, and two see that there is no more.
    assert len(sent) <= 13


def test_a_short_start_seeks_its_index(register: Register) -> None:
    name = register(lambda context: None)
    now = clock.now()
    Job.objects.bulk_create(
        Job(type=name, run_at=now + timedelta(days=1), created_at=now, updated_at=now) for _ in range(2000)
    )
    api.enqueue(name)
    with connections[alias()].cursor() as cursor:
        cursor.execute("ANALYZE")
    if is_postgresql():
        named = plain._named_sql(alias(), "default", (name,), plain.types_among([name]))
        sql, params = f"EXPLAIN WITH {named} SELECT * FROM found", [*clock.parameters(), 1, "w", "w"]
    else:
        start = plain._statements(alias(), "default", (name,), plain.types_among([name]))
        at = start.stored(now)
        sql, params = (
            f"EXPLAIN QUERY PLAN {start.start}",
            {"now": at, "worker": 1, **{f"lease_{n}": at for n, _lease in enumerate(start.leases)}},
        )
    shown = str(statements.fetch("SELECT 1", ()) and database.run(sql, params).fetchall())
    assert shown.count("queue_app_job_due") == (1 if is_postgresql() else 10)
    assert "SCAN queue_app_job" not in shown
    assert "Seq Scan on queue_app_job" not in shown


def test_a_type_of_another_process_is_not_plain() -> None:
    assert not registry.is_plain("nobody.knows")


def test_a_short_end_writes_what_every_end_writes(register: Register, worker: Worker) -> None:
    name = register(lambda context: None, result_ttl_seconds=60)
    long, short = api.enqueue(name), api.enqueue(name)
    first, second = take(worker, name), take(worker, name)
    assert isinstance(first, Claim)
    assert isinstance(second, Claim)
    first.job.marked_at = second.job.marked_at = first.attempt.started_at
    done = Done({"told": ["x", 1]})
    assert plain.ends(second.job, done)
    finish.settle(first, done)
    finish.settle(second, done, lambda: take(worker, name), in_one=True)
    ended = [ending(job) for job in (long, short)]
    assert ended[0] == ended[1]
    assert reloaded(short).state == JobState.COMPLETED


def ending(job: Job) -> dict[str, Any]:
    """Return all that is stored of an ended job, its moments as seconds from its end."""
    end = reloaded(job).finished_at
    assert end is not None
    found: dict[str, Any] = {}
    for row in (reloaded(job), Attempt.objects.get(job=job), Event.objects.filter(job=job).latest("id")):
        for field in row._meta.concrete_fields:
            if field.attname not in ("id", "job_id", "created_at", "run_at", "started_at", "marked_at"):
                value = getattr(row, field.attname)
                moment = hasattr(value, "tzinfo")
                found[f"{type(row).__name__}.{field.attname}"] = (value - end).total_seconds() if moment else value
    assert reloaded(job).marked_at is not None
    return found


@pytest.mark.parametrize("result", [Counter(), OrderedDict(), defaultdict(list), {}, [], None])
def test_what_is_empty_is_a_result_like_any_other(register: Register, run: Run, result: Any) -> None:
    job = api.enqueue(register(lambda context: result))
    assert run() == 1
    stored = reloaded(job)
    assert (stored.state, stored.attempts) == (JobState.COMPLETED, 1)
    assert stored.result == result
