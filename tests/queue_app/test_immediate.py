"""On SQLite the queue's transactions take the write lock when they begin, whatever the host's settings say."""

from __future__ import annotations

import pytest
from django.test.utils import CaptureQueriesContext

from queue_app import database


@pytest.mark.django_db(transaction=True)
def test_a_host_with_djangos_own_settings_waits_for_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    if database.is_postgresql():
        pytest.skip("PostgreSQL locks rows")
    queue = database.connection()
    queue.ensure_connection()
    monkeypatch.setattr(queue, "transaction_mode", None)
    with CaptureQueriesContext(queue) as queries, database.atomic(), database.atomic():
        pass
    assert [query["sql"] for query in queries if query["sql"].startswith("BEGIN")] == ["BEGIN IMMEDIATE"]
    assert queue.transaction_mode is None  # type: ignore[attr-defined]  # SQLite's
