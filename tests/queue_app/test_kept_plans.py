"""That PostgreSQL finds jobs by the index made for it, whatever its statistics say, and keeps no plan that is bad."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, connections

from queue_app import api, clock, database, runner, statements
from queue_app.models import Job
from queue_app.states import JobState
from tests.queue_app.jobs import Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

RESTING, BURST = 500, 3000
CLAIM = "written_0%found AS MATERIALIZED"


@pytest.fixture(autouse=True)
def _only_on_postgresql() -> Iterator[None]:
    if not database.is_postgresql():
        pytest.skip("SQLite keeps neither plans nor, by itself, statistics")
    yield
    # What a test has set for its session ends with that.
    connections.close_all()


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context: None)


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def add(name: str, count: int) -> None:
    at = clock.now() - timedelta(minutes=1)
    Job.objects.bulk_create(Job(type=name, run_at=at, created_at=at, updated_at=at) for _ in range(count))


def empty_the_queue(name: str) -> None:
    """Have some jobs in the table that are done, and statistics that say that none waits or runs."""
    add(name, RESTING)
    Job.objects.update(state=JobState.COMPLETED, finished_at=clock.now())
    execute("VACUUM ANALYZE")


def explained(sql: str, params: list[object]) -> str:
    return "\n".join(line for (line,) in database.run(f"EXPLAIN {sql}", params).fetchall())


def kept_plan(text: str) -> str:
    """Return the plan that this connection keeps for the statement with ``text`` in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements "
            "WHERE statement LIKE %s AND generic_plans > 0",
            [f"%{text}%"],
        )
        ((prepared, parameters),) = cursor.fetchall()
        cursor.execute(f'EXPLAIN EXECUTE "{prepared}"({", ".join(["NULL"] * parameters)})')
        return "\n".join(line for (line,) in cursor.fetchall())


def test_a_burst_is_claimed_by_its_index_though_the_statistics_are_of_an_empty_queue(
    name: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_the_queue(name)
    add(name, BURST)
    # As the plan is after some executions, without the values of one of them.
    execute("SET plan_cache_mode = force_generic_plan")
    monkeypatch.setattr(runner, "TOKEN_SECONDS", 0.02)
    ran = 0
    while ran < 20:
        ran += run()
    plan = kept_plan(CLAIM)
    assert "queue_app_job_due" in plan
    assert "Sort" not in plan


def test_an_end_finds_its_job_by_its_number_though_nothing_is_said_to_run(name: str) -> None:
    empty_the_queue(name)
    job = Job.objects.latest("id")
    sql, params = statements._updating(
        Job, {"id": job.pk, "state": JobState.RUNNING, "fence": job.fence}, {"reason": "", "fence": job.fence + 1}
    )
    shown = explained(sql, params)
    assert "queue_app_job_pkey" in shown
    assert "queue_app_job_state_type" not in shown


def test_a_plan_that_turns_out_slow_is_made_anew(name: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_some() -> None:
        for _ in range(20):
            api.enqueue(name)
        assert run() == 20

    monkeypatch.setattr(database, "SLOW_SECONDS", float("inf"))
    # As if the tables were small when the plan was made.
    execute("DISCARD PLANS", "SET enable_indexscan = off", "SET enable_bitmapscan = off")
    run_some()
    execute("RESET enable_indexscan", "RESET enable_bitmapscan", "SET enable_seqscan = off", "SET enable_sort = off")
    assert "queue_app_job_due" not in kept_plan(CLAIM)
    run_some()
    assert "queue_app_job_due" not in kept_plan(CLAIM)
    monkeypatch.setattr(database, "SLOW_SECONDS", 0.0)
    monkeypatch.setattr(database, "REPLAN_SECONDS", 0.0)
    run_some()
    assert "queue_app_job_due" in kept_plan(CLAIM)
