"""What locks accounts takes them in one order with everything else, so that no two wait for each other for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection

from posts.models import Account
from posts.outbox.platform import OutboxPlatform
from posts.publishing.capabilities import Window
from posts.services.events import forget_logins
from posts.services.windows import require_room
from queue_app.database import CONTROL_LOCK, atomic
from tests.posts.making import account, delivery, draft

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other() -> Iterator[Any]:
    """Return somebody else's connection, in a transaction."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock")
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as holder:
        yield holder


def waits_for_control() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone() is not None


def test_a_mark_waits_for_nobody_who_only_writes_a_post_for_the_account(
    other: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OutboxPlatform, "windows", (Window(5, 60, "app"),))
    ada, bob = account("Ada"), account("Bob")
    post = draft(ada)
    # As a new delivery of another post does, in whatever order its accounts were chosen.
    other.execute("SELECT id FROM posts_account WHERE id = %s FOR KEY SHARE", [bob.pk])
    with atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
        require_room(delivery(post))


def test_forgetting_a_login_takes_the_control_lock_before_the_account(other: Any) -> None:
    ada = account("Ada", "facebook", identity_id="page")
    other.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", CONTROL_LOCK)  # as a mark does, before the account

    def forget() -> int:
        try:
            with atomic():
                return forget_logins("facebook", ["page"])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        forgetting = threads.submit(forget)
        deadline = time.monotonic() + 20
        while not waits_for_control():
            assert time.monotonic() < deadline
        other.execute("SELECT id FROM posts_account WHERE id = %s FOR UPDATE NOWAIT", [ada.pk])
        other.commit()
        assert forgetting.result(timeout=20) == 1
    assert Account.objects.get(pk=ada.pk).reconnect_reason == "access_removed"
