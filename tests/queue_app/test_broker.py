from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connections
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.tasks import async_task
from pytest_django import Settings

from queue_app import api, blocks, claims, clock, database
from queue_app.board import Board, Place
from queue_app.broker import JobBroker
from queue_app.models import BlockKind, Job
from queue_app.waiting import Bell
from tests.queue_app.jobs import Later, Register

pytestmark = pytest.mark.django_db(transaction=True)

LONG_SECONDS = 20.0
SOON_SECONDS = 3.0


_opened: list[Hall] = []


class Hall:
    """A broker with what a cluster gives it; the test plays the workers."""

    def __init__(self, workers: int = 2, queue: str = "default") -> None:
        self.board = Board(workers)
        for slot in range(workers):
            self.board.place(slot, Place.STAYS)
        self.bell = Bell()
        self.broker = JobBroker("site", queue=queue, cluster="tests", board=self.board, bell=self.bell)
        _opened.append(self)

    def dequeue(self) -> list[dict[str, Any]]:
        """Return the tasks handed out, unpacked."""
        return [SignedPackage.loads(text) | {"ack": key} for key, text in self.broker.dequeue() or []]

    def work(self, *, fruitful: bool = True) -> None:
        """Be a worker that takes one task and ends it."""
        self.board.start_task(0)
        self.board.finish_task(0, fruitful=fruitful)


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture(autouse=True)
def _leave_no_listener() -> Iterator[None]:
    """Close the connections of the test's halls: one left open keeps the database from being dropped."""
    yield
    while _opened:
        waiter = _opened.pop().broker._waiter
        if waiter is not None:
            waiter.close()


@pytest.fixture(autouse=True)
def _patient(settings: Settings) -> None:
    """Have the broker wait so long that only a wake-up can end the wait within a test."""
    settings.SOCIALQ = {**settings.SOCIALQ, "CHECK_INTERVAL_SECONDS": LONG_SECONDS}


@pytest.fixture
def impatient(settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "CHECK_INTERVAL_SECONDS": 0.01}


@pytest.fixture
def job_type(register: Register) -> str:
    return register(lambda context: None)


def elsewhere(call: Callable[[], Any]) -> threading.Thread:
    """Call from another connection a moment later."""

    def run() -> None:
        try:
            call()
        finally:
            connections.close_all()

    thread = threading.Timer(0.2, run)
    thread.start()
    return thread


def test_hands_out_a_token_that_is_not_saved_and_has_no_timeout(hall: Hall, job_type: str) -> None:
    api.enqueue(job_type)
    (token,) = hall.dequeue()
    assert token["func"] == "queue_app.runner.run_due"
    assert token["args"] == ("default", "tests")
    assert (token["save"], token["timeout"], token["ack"]) == (False, -1, None)


def test_hands_out_no_more_tokens_than_idle_workers(hall: Hall, job_type: str, impatient: None) -> None:
    for _ in range(5):
        api.enqueue(job_type)
    assert len(hall.dequeue()) == 1  # the first one without counting
    assert len(hall.dequeue()) == 1
    assert hall.dequeue() == []
    hall.work()
    assert len(hall.dequeue()) == 1


def test_hands_out_no_second_token_for_a_job_that_one_is_under_way_to(
    hall: Hall, job_type: str, impatient: None
) -> None:
    api.enqueue(job_type)
    assert len(hall.dequeue()) == 1
    assert hall.dequeue() == []


@pytest.mark.usefixtures("impatient")
def test_leaves_other_queues_unknown_types_and_blocked_jobs_alone(hall: Hall, job_type: str) -> None:
    api.enqueue(job_type, queue="other")
    parked, unknown = api.enqueue(job_type), api.enqueue(job_type)
    Job.objects.filter(pk=parked.pk).update(parked_by="account:7")
    Job.objects.filter(pk=unknown.pk).update(type="never.heard.of")
    assert hall.dequeue() == []
    assert hall.board.exhausted


def test_waits_no_longer_than_to_the_next_due_time(hall: Hall, job_type: str) -> None:
    started = time.monotonic()
    api.enqueue(job_type, run_at=clock.now() + timedelta(seconds=0.3))
    assert hall.dequeue() == []
    assert len(hall.dequeue()) == 1
    assert 0.2 < time.monotonic() - started < SOON_SECONDS


def test_lifts_a_block_at_its_end_and_hands_out_its_job(hall: Hall, job_type: str) -> None:
    with database.atomic():
        until = clock.now() + timedelta(seconds=0.3)
        blocks.place("account:7", BlockKind.RATE_LIMIT, now=clock.now(), until=until)
    job = api.enqueue(job_type, keys=["account:7"])
    Job.objects.filter(pk=job.pk).update(parked_by="account:7")
    started = time.monotonic()
    while not (tokens := hall.dequeue()):
        assert time.monotonic() - started < SOON_SECONDS
    assert len(tokens) == 1
    job.refresh_from_db()
    assert job.parked_by == ""


def test_wakes_when_another_connection_adds_a_job(hall: Hall, job_type: str) -> None:
    thread = elsewhere(lambda: api.enqueue(job_type))
    started = time.monotonic()
    while not (tokens := hall.dequeue()):
        assert time.monotonic() - started < SOON_SECONDS
    thread.join()
    assert len(tokens) == 1


def test_wakes_when_another_process_adds_a_task(hall: Hall) -> None:
    thread = elsewhere(lambda: async_task("math.sqrt", 4, broker=JobBroker("site")))
    started = time.monotonic()
    while not (tasks := hall.dequeue()):
        assert time.monotonic() - started < SOON_SECONDS
    thread.join()
    assert tasks[0]["func"] == "math.sqrt"


def test_wakes_when_a_worker_has_finished(hall: Hall, job_type: str) -> None:
    for _ in range(3):
        api.enqueue(job_type)
    assert len(hall.dequeue() + hall.dequeue()) == 2

    def finish() -> None:
        hall.work()
        hall.bell.ring()

    thread = elsewhere(finish)
    started = time.monotonic()
    assert hall.dequeue() == []  # all are busy
    assert len(hall.dequeue()) == 1
    assert time.monotonic() - started < SOON_SECONDS
    thread.join()


def test_serves_ordinary_tasks_in_turn_with_jobs(job_type: str) -> None:
    hall = Hall(workers=1)
    for number in (1, 4, 9):
        async_task("math.sqrt", number, broker=JobBroker("site"))
        api.enqueue(job_type)
    served = []
    for _ in range(4):
        (task,) = hall.dequeue()
        served.append(task["func"])
        hall.work()
    assert served == ["queue_app.runner.run_due", "math.sqrt"] * 2


@pytest.mark.usefixtures("impatient")
def test_hands_a_task_to_one_cluster_and_again_when_its_lock_has_run_out(hall: Hall, later: Later) -> None:
    async_task("math.sqrt", 4, broker=JobBroker("site"))
    other = Hall()
    (task,) = hall.dequeue()
    assert other.dequeue() == []
    later(Conf.RETRY + 1)
    (again,) = other.dequeue()
    assert again["id"] == task["id"]
    other.broker.acknowledge(again["ack"])
    assert not OrmQ.objects.exists()


@pytest.mark.usefixtures("impatient")
def test_hands_out_a_task_at_once_that_a_host_with_a_clock_ahead_has_added(hall: Hall) -> None:
    if not database.is_postgresql():
        pytest.skip("on SQLite there is one host")
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1), tick=True):
        async_task("math.sqrt", 4, broker=JobBroker("site"))
    assert hall.broker.dequeue() is not None


@pytest.mark.usefixtures("impatient")
def test_does_not_take_a_task_that_another_cluster_took_after_it_was_seen(hall: Hall) -> None:
    async_task("math.sqrt", 4, broker=JobBroker("site"))
    others = OrmQ.objects.all()
    tried = []

    def after_another(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not tried:
            tried.append(sql)
            others.update(lock=clock.now() + timedelta(seconds=Conf.RETRY))
        return execute(sql, *rest)

    with connections[database.alias()].execute_wrapper(after_another):
        assert hall.dequeue() == []
    assert tried


def test_does_not_spin_where_tokens_come_back_without_a_job(hall: Hall, job_type: str) -> None:
    api.enqueue(job_type)  # and another cluster holds its row
    tokens, deadline = 0, time.monotonic() + 1
    while time.monotonic() < deadline:
        for _ in hall.dequeue():
            tokens += 1
            hall.work(fruitful=False)
    assert 3 <= tokens < 12
    while not hall.dequeue():
        assert time.monotonic() < deadline + SOON_SECONDS
    hall.work(fruitful=True)
    assert len(hall.dequeue()) == 1


@pytest.mark.usefixtures("impatient")
def test_survives_an_error_of_the_database(hall: Hall, job_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    api.enqueue(job_type)
    with monkeypatch.context() as patch:

        def fail(*_arguments: Any) -> None:
            raise OperationalError("server closed the connection")

        patch.setattr(claims, "next_due_at", fail)
        assert hall.dequeue() == []
    assert len(hall.dequeue()) == 1


def test_without_a_cluster_it_serves_ordinary_tasks_as_the_stock_broker_does(job_type: str) -> None:
    broker = JobBroker("site")
    api.enqueue(job_type)
    key = async_task("math.sqrt", 4, broker=broker)
    OrmQ.objects.update(lock=clock.now() - timedelta(seconds=1))
    ((_row, text),) = broker.dequeue() or []
    assert SignedPackage.loads(text)["id"] == key


def test_is_made_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("starting up")

    connections[database.alias()].close()
    monkeypatch.setattr(connections[database.alias()], "connect", refuse)
    Hall()
