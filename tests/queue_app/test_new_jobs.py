"""New jobs are checked and get their type's defaults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pytest_django import Settings

from queue_app import registry
from queue_app.models import Job
from queue_app.new_jobs import NewJob, build
from queue_app.registry import JobType
from queue_app.states import JobState
from tests.queue_app.jobs import Register

NOW = datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def kind_of(register: Register, **options: Any) -> JobType:
    return registry.get(register(lambda context, **args: None, **options))


def test_a_job_has_its_types_defaults(register: Register) -> None:
    job = build(kind_of(register, queue="slow", priority="low", expires_seconds=60), NewJob(), NOW)
    assert (job.type, job.queue, job.priority, job.state) == ("tests.job", "slow", 8, JobState.PENDING)
    assert (job.run_at, job.created_at, job.expires_at) == (NOW, NOW, NOW + timedelta(seconds=60))
    assert (job.args, job.metadata, job.keys, job.unique_key, job.target_id) == ({}, {}, [], None, "")
    assert job.pk is None
    assert job._state.adding


def test_objects_made_from_all_columns_are_those_that_django_makes(register: Register) -> None:
    job = build(kind_of(register), NewJob(), NOW)
    plain = Job(type="tests.job", run_at=NOW, max_attempts=job.max_attempts, created_at=NOW, updated_at=NOW)
    names = [field.attname for field in Job._meta.concrete_fields]
    assert {name: getattr(job, name) for name in names} == {name: getattr(plain, name) for name in names}


def test_a_caller_may_wish_otherwise(register: Register) -> None:
    later, last = NOW + HOUR, NOW + 2 * HOUR
    new = NewJob({"a": 1}, 9, 1, later, last, "u", ["a:1", "b:2", "a:1"], {"m": [1]}, 0, "own")
    job = build(kind_of(register, expires_seconds=60), new, NOW)
    assert (job.args, job.target_id, job.priority, job.run_at, job.expires_at) == ({"a": 1}, "9", 1, later, last)
    assert (job.unique_key, job.keys, job.metadata, job.max_attempts, job.queue) == (
        "u",
        ["a:1", "b:2"],
        {"m": [1]},
        1,
        "own",
    )


def test_routes_decide_unless_the_caller_names_a_queue(register: Register, settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ROUTES": {"tests.*": "routed"}}
    kind = kind_of(register)
    assert build(kind, NewJob(), NOW).queue == "routed"
    assert build(kind, NewJob(queue="own"), NOW).queue == "own"


def test_times_are_kept_in_utc(register: Register) -> None:
    berlin = timezone(timedelta(hours=2))
    job = build(kind_of(register), NewJob(run_at=NOW.astimezone(berlin)), NOW)
    assert job.run_at.isoformat() == NOW.isoformat()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"run_at": NOW.replace(tzinfo=None)}, "run_at needs a time zone"),
    ({"run_at": "2030-01-01"}, "run_at is a datetime, not a str"),
    ({"run_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))}, "run_at is beyond what UTC can say"),
    ({"run_at": datetime.max.replace(tzinfo=UTC)}, "run_at is too far ahead"),
    ({"expires_at": NOW}, "expires_at is in the future, not 2030-05-06"),
    ({"expires_at": NOW + HOUR, "run_at": NOW + HOUR}, r"expires_at is after run_at \(2030-05-06T08:08:09\+00:00\)"),
    ({"expires_at": NOW.replace(tzinfo=None)}, "expires_at needs a time zone"),
    ({"priority": 11}, "priority is 1"),
    ({"priority": "soon"}, "high, normal, low"),
    ({"priority": 5.0}, "priority is 1"),
    ({"target_id": "x" * 201}, "target_id is 1 to 200 characters"),
    ({"target_id": "a\0"}, "target_id is 1 to 200 characters of plain text"),
    ({"target_id": 1.5}, "target_id is text or a number"),
    ({"target_id": None}, "target_id is text or a number"),
    ({"unique_key": ""}, "unique_key is 1 to 200"),
    ({"unique_key": "x" * 201}, "unique_key is 1 to 200"),
    ({"unique_key": 7}, "unique_key is 1 to 200"),
    ({"unique_key": "\ud800"}, "unique_key is 1 to 200"),
    ({"keys": "account:7"}, "keys is a list of words such as account:7, not a str"),
    ({"keys": 7}, "keys is a list of words"),
    ({"keys": [""]}, "a key is 1 to 180"),
    ({"keys": ["a b"]}, "a key is 1 to 180 characters without spaces"),
    ({"keys": ["a\u2028"]}, "a key is 1 to 180"),
    ({"keys": [7]}, "a key is 1 to 180"),
    ({"keys": ["x" * 181]}, "a key is 1 to 180"),
    ({"keys": ["limit:a"]}, "the key 'limit:a' begins with a word that the queue uses itself"),
    ({"keys": ["breaker:a"]}, "begins with a word that the queue uses"),
    ({"keys": [f"k:{number}" for number in range(21)]}, "a job has at most 20 keys, not 21"),
    ({"max_retries": -1}, "max_retries is a number from 0"),
    ({"max_retries": True}, "max_retries is a number"),
    ({"max_retries": 10**9}, "max_retries is a number from 0 to 1000000"),
    ({"queue": ""}, "a queue's name is 1 to 100"),
    ({"queue": "a b"}, "a queue's name is 1 to 100 characters without spaces"),
    ({"metadata": [1]}, "got a list instead of a dict for metadata"),
    ({"metadata": {"a": {1}}}, "got a set, which is no JSON, at metadata.a"),
    ({"args": {"a": {1}}}, "got a set, which is no JSON, at a"),
]


@pytest.mark.parametrize(("wishes", "message"), BAD)
def test_what_cannot_be_is_refused(register: Register, wishes: dict[str, Any], message: str) -> None:
    kind = kind_of(register, expires_seconds=60)
    with pytest.raises(ValueError, match=message):
        build(kind, NewJob(**wishes), NOW)


def unique_key(kind: JobType, **wishes: Any) -> str | None:
    return build(kind, NewJob(**wishes), NOW).unique_key


def test_a_unique_type_allows_one_job_for_each_target(register: Register) -> None:
    kind = kind_of(register, unique=True)
    assert unique_key(kind, target_id=7) == unique_key(kind, target_id="7", args={"a": 1}) == "tests.job 7"
    assert unique_key(kind, target_id=7, unique_key="own") == "own"
    long = unique_key(kind, target_id="x" * 200)
    assert long is not None
    assert long == unique_key(kind, target_id="x" * 200) != unique_key(kind, target_id="x" * 199)
    assert len(long) <= 200


def test_unique_jobs_of_two_types_never_collide(register: Register) -> None:
    one, other = kind_of(register, name="a", unique=True), kind_of(register, name="a:b", unique=True)
    assert unique_key(one, target_id="b:c") != unique_key(other, target_id="c")


def test_where_there_is_no_target_it_allows_one_for_each_set_of_arguments(register: Register) -> None:
    kind = kind_of(register, unique=True)
    assert unique_key(kind, args={"a": 1, "b": NOW}) == unique_key(kind, args={"b": NOW, "a": 1})
    assert unique_key(kind, args={"a": 1}) != unique_key(kind, args={"a": "1"})
    assert unique_key(kind, args={}) != unique_key(kind, args={"a": None})


def test_a_function_may_name_what_is_unique(register: Register) -> None:
    kind = kind_of(register, unique=lambda args, target_id: args.get("user") and f"user:{args['user']}:{target_id}")
    assert unique_key(kind, args={"user": 3}, target_id=4) == "user:3:4"
    assert unique_key(kind) is None
    broken = kind_of(register, name="tests.broken", unique=lambda args, target_id: 7)
    with pytest.raises(ValueError, match=r"the unique key of tests.broken is 1 to 200"):
        unique_key(broken)
