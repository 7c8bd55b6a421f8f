"""What a new connection to the queue's database is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@pytest.fixture
def new() -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own, which is made when it is first used."""
    connection = connections.create_connection("default")
    yield connection
    connection.close()


def limit_of(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return str(cursor.fetchone()[0])


def test_an_idle_transaction_ends_after_a_minute(new: BaseDatabaseWrapper) -> None:
    assert limit_of(new) == "1min"


@pytest.mark.parametrize(("seconds", "limit"), [(7, "7s"), (0, "9s")])
def test_after_as_long_as_is_set_or_as_the_server_says(
    new: BaseDatabaseWrapper, settings: Any, seconds: int, limit: str
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "IDLE_TRANSACTION_SECONDS": seconds}
    options = {**new.settings_dict["OPTIONS"], "options": "-c idle_in_transaction_session_timeout=9s"}
    new.settings_dict = {**new.settings_dict, "OPTIONS": options}
    assert limit_of(new) == limit


def test_other_databases_are_left_alone(new: BaseDatabaseWrapper) -> None:
    new.alias = "other"
    assert limit_of(new) == "0"
