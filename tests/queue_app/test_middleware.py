"""A database that is locked, full or away: people are told to try again, and nothing is half written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from queue_app import api
from queue_app.middleware import DatabaseAwayMiddleware
from queue_app.models import Event, Job
from tests.queue_app.admin.pages import address, text_of
from tests.queue_app.jobs import Register
from tests.queue_app.locks import held_lock

pytestmark = pytest.mark.django_db(transaction=True)

JSON = {"HTTP_ACCEPT": "application/json"}


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def job(register: Register) -> Job:
    return api.enqueue(register(lambda context: None))


@contextmanager
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the database be where nobody answers."""
    connection.close()
    with monkeypatch.context() as patched:
        if connection.vendor == "sqlite":
            patched.setitem(connection.settings_dict, "NAME", "/nowhere/there.sqlite3")
        else:
            patched.setitem(connection.settings_dict, "PORT", "1")
        yield
    connection.close()


def cancel(client: Client, job: Job, **headers: str) -> Any:
    data = {"action": "cancel", "index": "0", "_selected_action": [job.pk], "confirmed": "9", "warned": ""}
    return client.post(address(Job), data, **headers)  # type: ignore[arg-type]  # headers are strings


@pytest.mark.parametrize("debug", [False, True])
def test_who_cancels_while_the_database_is_locked_is_told_to_try_again(
    boss: Client, job: Job, settings: Any, debug: bool
) -> None:
    settings.DEBUG = debug
    events = Event.objects.count()
    with held_lock():
        answer = cancel(boss, job)
    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "10", "no-store")
    text = text_of(answer)
    assert "The database is busy: something else has held it for too long." in text
    assert "It was not saved, or only in part: look before you send it again. Go back in a moment" in text
    assert "script" not in answer.content.decode()
    assert (api.get_status(job.pk), Event.objects.count(), LogEntry.objects.count()) == ("pending", events, 0)
    assert cancel(boss, job).status_code == 302
    assert api.get_status(job.pk) == "cancelled"


def test_a_program_that_asks_for_json_gets_json(boss: Client, job: Job) -> None:
    with held_lock():
        answer = cancel(boss, job, **JSON)
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert answer.json()["error"].startswith("The database is busy: ")


def test_a_page_says_that_the_database_is_away_and_offers_to_try_again(
    boss: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    with away(monkeypatch):
        seen, sent = boss.get(address(Job)), cancel(boss, job)
    assert (seen.status_code, sent.status_code) == (503, 503)
    assert "The database cannot be reached." in text_of(seen)
    assert '<a href="">Try again</a>' in seen.content.decode()
    assert "It was not saved, or only in part" in text_of(sent)
    assert boss.get(address(Job)).status_code == 200
    assert api.get_status(job.pk) == "pending"


def answer_to(error: Exception, request: HttpRequest) -> HttpResponse | None:
    return DatabaseAwayMiddleware(lambda _request: HttpResponse()).process_exception(request, error)


def test_no_room_is_told_apart(rf: RequestFactory) -> None:
    error = OperationalError("full")
    error.__cause__ = full()
    answer = answer_to(error, rf.post("/"))
    assert answer is not None
    assert "The database has no room" in answer.content.decode()


def full() -> Exception:
    if connection.vendor == "postgresql":
        return psycopg.errors.DiskFull("could not extend file")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as small:
        small.execute("PRAGMA max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as told:
            small.execute("CREATE TABLE a (b)")
    return told.value


@pytest.mark.parametrize("raised", [lambda: ValueError("ours"), lambda: OperationalError("no such table")])
def test_any_other_error_stays_what_it_is(rf: RequestFactory, raised: Callable[[], Exception]) -> None:
    error = raised()
    if isinstance(error, OperationalError):
        with closing(sqlite3.connect(":memory:")) as empty, pytest.raises(sqlite3.OperationalError) as told:
            empty.execute("SELECT * FROM missing")
        error.__cause__ = told.value
    assert answer_to(error, rf.get("/")) is None
