"""On SQLite the queue's transactions take the write lock when they begin, whatever the host's settings say."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test.utils import CaptureQueriesContext

from queue_app import database
from queue_app.database import Execute
from queue_app.models import Breaker

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = f"INSERT INTO {Breaker._meta.db_table} (key, failures, trips, probe_fence, last_error) VALUES (?, 0, 0, 0, '')"


@pytest.fixture(autouse=True)
def _sqlite(transactional_db: None) -> None:
    if database.is_postgresql():
        pytest.skip("PostgreSQL locks rows")


def insert(key: str) -> Any:
    return lambda execute: execute(INSERT, [key])


def keys() -> set[str]:
    return set(Breaker.objects.values_list("key", flat=True))


def test_a_host_with_djangos_own_settings_waits_for_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = database.connection()
    queue.ensure_connection()
    monkeypatch.setattr(queue, "transaction_mode", None)
    with CaptureQueriesContext(queue) as queries, database.atomic(), database.atomic():
        pass
    assert [query["sql"] for query in queries if query["sql"].startswith("BEGIN")] == ["BEGIN IMMEDIATE"]
    assert queue.transaction_mode is None  # type: ignore[attr-defined]  # SQLite's


def test_a_brief_transaction_commits_what_was_gathered_and_its_own() -> None:
    with database.gathered(locks=False):
        database.tell(INSERT, ["gathered"])
        assert keys() == set()
        database.briefly(insert("own"))
    assert keys() == {"gathered", "own"}


def test_a_brief_transaction_that_fails_leaves_nothing_behind() -> None:
    def fail(execute: Execute) -> None:
        execute(INSERT, ["own"])
        execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(OperationalError, match="nowhere"):
        database.briefly(fail)
    assert keys() == set()
    database.briefly(insert("next"))
    assert keys() == {"next"}


def test_a_brief_transaction_inside_another_ends_with_it() -> None:
    def begin_and_fail() -> None:
        with database.atomic():
            database.briefly(insert("inner"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begin_and_fail()
    assert keys() == set()
