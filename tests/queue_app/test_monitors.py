"""/health, /ready and /metrics: what they say, to whom, and that they answer whatever the database does."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from queue_app import api, checks, monitors, readiness, workers
from queue_app.middleware import MonitorsMiddleware
from tests.queue_app.jobs import Later, Register
from tests.queue_app.locks import held_lock

pytestmark = pytest.mark.django_db(transaction=True)

STRANGER = {"REMOTE_ADDR": "203.0.113.7"}
ALL_WELL = {"database": {"ok": True}, "migrations": {"ok": True}, "workers": {"ok": True}, "due": {"ok": True}}


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    readiness._kept.forget()
    yield
    readiness._kept.forget()


def test_alive_is_said_without_the_database(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        response = client.get("/health", **STRANGER)
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response.headers["Cache-Control"]
    assert client.post("/health").status_code == 405


def test_a_probe_knows_no_name_of_the_site(client: Client) -> None:
    assert client.get("/health", headers={"host": "10.1.2.3:8000"}).status_code == 200
    assert client.get("/admin/login/", headers={"host": "10.1.2.3:8000"}).status_code == 400


def test_a_host_without_these_pages_is_left_as_it_is(settings: Settings) -> None:
    request = RequestFactory().get("/health", headers={"host": "10.1.2.3"})
    settings.ROOT_URLCONF = type("NoUrls", (), {"urlpatterns": []})
    MonitorsMiddleware(lambda request: request)(request)  # type: ignore[arg-type,return-value]  # looked at itself
    assert request.META["HTTP_HOST"] == "10.1.2.3"


def test_ready_where_a_worker_lives_and_nothing_is_late(client: Client) -> None:
    assert client.get("/ready", **STRANGER).status_code == 503
    readiness._kept.forget()
    workers.register("one", {"default": 1})
    response = client.get("/ready", **STRANGER)
    assert (response.status_code, response.json()) == (200, {"ready": True, "checks": ALL_WELL})


def test_each_check_says_in_words_what_is_wrong(client: Client, register: Register, later: Later) -> None:
    api.enqueue(register(lambda context: None))
    later(400)
    told = client.get("/ready").json()["checks"]
    assert told["workers"]["says"] == "No worker lives: start one with python manage.py qcluster"
    assert told["due"]["says"].startswith("A job has been due for 400 s; over 300 is too long")
    assert told["database"] == {"ok": True, "says": "ok"}


def test_checks_can_be_left_out(client: Client) -> None:
    response = client.get("/ready?exclude=workers&exclude=due")
    assert (response.status_code, set(response.json()["checks"])) == (200, {"database", "migrations"})
    assert client.get("/ready?exclude=sense").status_code == 400


def test_a_missing_migration_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    known = (*readiness._known_migrations(), ("queue_app", "9999_later"))
    monkeypatch.setattr(readiness, "_known_migrations", lambda: known)
    check = client.get("/ready").json()["checks"]["migrations"]
    assert check["says"] == "The database lacks the migration queue_app.9999_later: run python manage.py migrate"


def test_a_database_that_is_locked_keeps_nobody_waiting_for_long(client: Client) -> None:
    workers.register("one", {"default": 1})
    with held_lock():
        began = time.monotonic()
        response = client.get("/ready")
        assert time.monotonic() - began < 10
    assert response.status_code == 503
    assert "cannot be written" in response.json()["checks"]["database"]["says"]
    assert response.json()["checks"]["workers"]["ok"]


def test_many_that_ask_at_once_make_it_look_once(client: Client) -> None:
    client.get("/ready")
    workers.register("one", {"default": 1})
    assert client.get("/ready").status_code == 503


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        (STRANGER, 403),
        ({"REMOTE_ADDR": "10.1.2.3"}, 200),
        ({"REMOTE_ADDR": "::ffff:10.1.2.3"}, 200),
        ({"REMOTE_ADDR": ""}, 403),
        ({"HTTP_X_FORWARDED_FOR": "10.1.2.3"}, 403),
        ({"HTTP_X_FORWARDED_PROTO": "https"}, 403),
        ({**STRANGER, "HTTP_AUTHORIZATION": "Bearer right"}, 200),
        ({**STRANGER, "HTTP_AUTHORIZATION": "bearer  right "}, 200),
        ({**STRANGER, "HTTP_AUTHORIZATION": "Bearer wröng"}, 403),
        ({**STRANGER, "HTTP_AUTHORIZATION": "Bearer "}, 403),
        ({**STRANGER, "HTTP_AUTHORIZATION": "right"}, 403),
    ],
)
def test_metrics_are_for_the_token_or_for_known_addresses(
    client: Client, settings: Settings, headers: dict[str, str], status: int
) -> None:
    allow = ["127.0.0.1", "10.0.0.0/8"]
    settings.SOCIALQ = {**settings.SOCIALQ, "METRICS_TOKEN": "right", "METRICS_ALLOW": allow}
    assert client.get("/metrics", **headers).status_code == status


def test_without_a_token_none_is_right(client: Client) -> None:
    assert client.get("/metrics", **STRANGER, HTTP_AUTHORIZATION="Bearer ").status_code == 403


def test_staff_learn_what_is_wrong_and_others_do_not(client: Client) -> None:
    for name, is_staff in (("ann", True), ("bob", False)):
        client.force_login(User.objects.create_user(name, is_staff=is_staff))
        readiness._kept.forget()
        assert ("says" in client.get("/ready", **STRANGER).json()["checks"]["workers"]) is is_staff


def test_without_the_package_the_page_says_what_to_install(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "queue_app.exposition", None)
    monkeypatch.delattr("queue_app.exposition", raising=False)
    response = client.get("/metrics")
    assert (response.status_code, b"pip install 'socialq[metrics]'" in response.content) == (501, True)


def test_an_address_that_is_none_is_found_at_the_start(settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "METRICS_ALLOW": ["10.0.0.0/8", "the office"]}
    (found,) = checks.check_monitors(None)
    assert (found.id, "the office" in found.msg) == ("queue_app.E021", True)
    with pytest.raises(ValueError, match="METRICS_ALLOW is a list"):
        monitors.networks("10.0.0.1")
