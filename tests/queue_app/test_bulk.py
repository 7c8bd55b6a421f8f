"""Many jobs are added in few statements, all or none, and as one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from queue_app import bulk, clock, registry, signals, transitions
from queue_app.errors import DuplicateJob
from queue_app.models import Event, EventName, Job
from queue_app.new_jobs import NewJob, build
from queue_app.states import JobState
from tests.queue_app.jobs import Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., list[Job]]


@pytest.fixture
def make(register: Register) -> Make:
    """Return a function that builds jobs of a type that takes anything."""
    kind = registry.get(register(lambda context, **args: args))
    return lambda *wishes: [build(kind, NewJob(**wish), clock.now()) for wish in wishes]


def columns(model: type[Any], row: Any) -> dict[str, Any]:
    left_out = ("id", "job_id")
    return {f.attname: getattr(row, f.attname) for f in model._meta.concrete_fields if f.attname not in left_out}


def test_rows_are_those_of_jobs_added_one_by_one(make: Make) -> None:
    due = datetime(2030, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    wishes: list[dict[str, Any]] = [
        {},
        {
            "args": {"text": 'é😀 "quoted" \\u0000 %s', "at": due, "n": [1.5, True, None, -(2**63)], "d": {"": {}}},
            "target_id": "ünï\"'\\%s",
            "priority": 1,
            "run_at": due,
            "expires_at": due + timedelta(days=1),
            "unique_key": "k😀",
            "keys": ["account:7", "é:1"],
            "metadata": {"a": "b"},
            "max_retries": 0,
            "queue": "other",
        },
        {"run_at": due.replace(microsecond=0)},
    ]
    at = clock.now()
    jobs = make(*wishes, *wishes)
    for job in jobs:
        job.created_at = job.updated_at = at
    jobs[-2].unique_key = "another"
    ids = bulk.insert(jobs[:3], actor="ada")
    for job in jobs[3:]:
        transitions.add(job, actor="ada")
    many = [columns(Job, Job.objects.get(pk=job_id)) for job_id in ids]
    one_by_one = [columns(Job, Job.objects.get(pk=job.pk)) for job in jobs[3:]]
    assert many[1].pop("unique_key") == "k😀"
    assert one_by_one[1].pop("unique_key") == "another"
    assert [row | {"run_at": None} for row in many[:1]] == [row | {"run_at": None} for row in one_by_one[:1]]
    assert many[1:] == one_by_one[1:]
    events = [columns(Event, Event.objects.get(job_id=job_id)) for job_id in (ids[1], jobs[4].pk)]
    assert events[0] == events[1]
    assert (events[0]["name"], events[0]["actor"]) == (EventName.ADDED, "ada")


def test_what_the_database_holds_is_the_same_text(make: Make) -> None:
    (bulked, single) = make({"args": {"é": [1.0, "😀"]}}, {"args": {"é": [1.0, "😀"]}})
    bulk.insert([bulked])
    transitions.add(single)
    with connection.cursor() as cursor:
        cursor.execute("SELECT args, keys, run_at FROM queue_app_job ORDER BY id")
        first, second = cursor.fetchall()
    assert first[:2] == second[:2]
    assert type(first[2]) is type(second[2])
    assert len(str(first[2])) == len(str(second[2]))


def test_ids_come_in_the_order_of_the_jobs(make: Make) -> None:
    jobs = make(*({"args": {"n": number}} for number in range(2_500)))
    ids = bulk.insert(jobs)
    assert ids == sorted(set(ids)) == [job.pk for job in jobs]
    stored = dict(Job.objects.values_list("pk", "args"))
    assert [stored[job_id]["n"] for job_id in ids] == list(range(2_500))
    assert list(Event.objects.order_by("id").values_list("job_id", flat=True)) == ids
    assert not any(job._state.adding for job in jobs)


def test_a_batch_is_one_statement_and_on_sqlite_one_more_for_events(make: Make) -> None:
    jobs = make(*({"args": {"n": number}} for number in range(2_000)))
    with CaptureQueriesContext(connection) as queries:
        bulk.insert(jobs)
    assert sum("INSERT INTO" in query["sql"] for query in queries) == (2 if connection.vendor == "postgresql" else 4)


def test_large_arguments_make_smaller_batches(make: Make) -> None:
    jobs = make(*({"args": {"text": "x" * 250_000, "n": number}} for number in range(40)))
    assert [len(batch) for batch, _rows in bulk._batches(jobs)] == [34, 6]
    assert len(bulk.insert(jobs)) == Job.objects.count() == 40


def test_jobs_that_were_added_at_once_run(make: Make, run: Run) -> None:
    bulk.insert(make({"args": {"n": 1}}, {"args": {"n": 2}}))
    assert run() == 2
    assert [job.result for job in Job.objects.order_by("id")] == [{"n": 1}, {"n": 2}]


def test_nothing_is_done_for_no_jobs() -> None:
    assert bulk.insert([]) == []


@pytest.mark.parametrize("size", [1, 1_500])
def test_a_taken_key_refuses_all_and_names_the_first(make: Make, size: int) -> None:
    (holder,) = bulk.insert(make({"unique_key": "taken"}))
    filler = [{} for _ in range(size)]
    with pytest.raises(DuplicateJob, match=f"job {holder} with unique key 'taken'") as caught:
        bulk.insert(make(*filler, {"unique_key": "free"}, {"unique_key": "taken"}, {"unique_key": "free"}))
    assert caught.value.existing_id == holder
    assert Job.objects.count() == Event.objects.count() == 1


def test_the_same_key_twice_in_one_call_is_refused_too(make: Make) -> None:
    with pytest.raises(DuplicateJob, match="unique key 'twice'"):
        bulk.insert(make({"unique_key": "twice"}, {}, {"unique_key": "twice"}))
    assert not Job.objects.exists()


def test_skipping_puts_the_holders_id_in_the_place(make: Make) -> None:
    (holder,) = bulk.insert(make({"unique_key": "taken"}))
    keys = ["a", "taken", None, "a", "b", "taken"]
    ids = bulk.insert(make(*({"unique_key": key, "args": {"n": n}} for n, key in enumerate(keys))), on_duplicate="skip")
    assert ids[1] == ids[5] == holder
    assert ids[3] == ids[0]
    assert len(set(ids)) == 4
    assert [Job.objects.get(pk=job_id).args for job_id in ids[2:5]] == [{"n": 2}, {"n": 0}, {"n": 4}]
    assert Job.objects.count() == Event.objects.count() == 4


def test_a_finished_jobs_key_is_free(make: Make) -> None:
    bulk.insert(make({"unique_key": "k"}))
    Job.objects.update(state=JobState.CANCELLED)
    bulk.insert(make({"unique_key": "k"}))
    assert Job.objects.count() == 2


def test_a_key_that_becomes_free_meanwhile_is_taken_then(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder finishes between the statement that refused the job and the look at who has the key."""
    (holder,) = bulk.insert(make({"unique_key": "k"}))
    look = bulk._holders

    def finish_first(keys: Any) -> Any:
        Job.objects.filter(pk=holder).update(state=JobState.CANCELLED)
        return look(keys)

    monkeypatch.setattr(bulk, "_holders", finish_first)
    before, after, last = bulk.insert(make({}, {"unique_key": "k"}, {}))
    assert before < last < after
    assert Job.objects.filter(state=JobState.PENDING).count() == 3


def test_unknown_ways_with_duplicates_are_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="on_duplicate is raise or skip, not 'ignore'"):
        bulk.insert(make({}), on_duplicate="ignore")


def test_the_callers_transaction_decides(make: Make) -> None:
    with transaction.atomic():
        bulk.insert(make({}, {}))
        transaction.set_rollback(True)
    assert not Job.objects.exists()
    with transaction.atomic():
        with pytest.raises(DuplicateJob):
            bulk.insert(make({"unique_key": "k"}, {"unique_key": "k"}))
        bulk.insert(make({}))
    assert Job.objects.count() == 1


def test_a_job_that_cannot_be_leaves_none_behind(make: Make) -> None:
    def jobs() -> Iterator[Job]:
        yield from make(*({} for _ in range(1_200)))
        yield from make({"priority": 99})

    with pytest.raises(ValueError, match="priority"):
        bulk.insert(jobs())
    assert not Job.objects.exists()


def test_hooks_are_called_for_each_job(register: Register) -> None:
    seen: list[tuple[int, str]] = []
    kind = registry.get(
        register(lambda context: None, on_transition=lambda job, event: seen.append((job.pk, event.name)))
    )
    wishes = [NewJob(unique_key=key) for key in ("a", "b", "a")]
    ids = bulk.insert([build(kind, new, clock.now()) for new in wishes], on_duplicate="skip")
    assert ids[2] == ids[0]
    assert seen == [(ids[0], EventName.ADDED), (ids[1], EventName.ADDED)]
    with pytest.raises(DuplicateJob, match=f"job {ids[0]} "):
        bulk.insert([build(kind, NewJob(unique_key="a"), clock.now())])
    assert Job.objects.count() == Event.objects.count() == 2


def test_receivers_of_the_signal_hear_of_each_job(make: Make) -> None:
    heard: list[int] = []

    def receiver(job_id: int, **_kwargs: Any) -> None:
        heard.append(job_id)

    signals.job_added.connect(receiver)
    try:
        ids = bulk.insert(make({}, {}))
    finally:
        signals.job_added.disconnect(receiver)
    assert heard == ids


def test_of_many_that_add_the_same_keys_at_once_one_wins_each(make: Make) -> None:
    """Each thread has a connection of its own; what one has not committed yet the others wait for."""
    found: list[list[int]] = []
    together = threading.Barrier(4)

    def add(jobs: list[Job]) -> None:
        try:
            together.wait()
            found.append(bulk.insert(jobs, on_duplicate="skip"))
        finally:
            connections.close_all()

    keys = [{"unique_key": f"k{number}"} for number in range(300)]
    threads = [threading.Thread(target=add, args=(make(*keys),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert found.count(found[0]) == 4
    assert Job.objects.count() == Event.objects.count() == 300
