from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from pytest_django import Settings

from queue_app import checks, database
from queue_app.models import Job
from tests.site import Site


class Elsewhere:
    """A router that puts everything but jobs into another database."""

    def db_for_write(self, model: Any, **_hints: Any) -> str:
        return "default" if model is Job else "other"


def ids(found: list[CheckMessage]) -> list[str | None]:
    assert all(message.hint for message in found)
    return [message.id for message in found]


def test_the_site_itself_is_configured_well() -> None:
    assert checks.check_app_order(None) == []
    assert checks.check_one_database(None) == []
    assert checks.check_connections(None) == []


def test_django_q_before_the_queue_or_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, django_q = apps.get_app_config("queue_app"), apps.get_app_config("django_q")
    monkeypatch.setattr(apps, "get_app_configs", lambda: [django_q, queue])
    assert ids(checks.check_app_order(None)) == ["queue_app.E002"]
    monkeypatch.setattr(apps, "get_app_configs", lambda: [queue])
    assert ids(checks.check_app_order(None)) == ["queue_app.E001"]


def test_tables_in_another_database_are_found_and_named(settings: Settings) -> None:
    settings.DATABASE_ROUTERS = [Elsewhere()]
    (found,) = checks.check_one_database(None)
    assert found.id == "queue_app.E003"
    assert "django_q.OrmQ" in found.msg


def test_a_broker_in_another_database_is_found(settings: Settings) -> None:
    settings.Q_CLUSTER = {"orm": "other"}
    (found,) = checks.check_one_database(None)
    assert 'Q_CLUSTER["orm"] (other)' in found.msg


def test_a_connection_pool_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "is_postgresql", lambda: True)
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", {"pool": True})
    assert ids(checks.check_connections(None)) == ["queue_app.E004"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, []),
        ({"isolation_level": IsolationLevel.READ_COMMITTED}, []),
        ({"options": r"-c default_transaction_isolation=read\ committed"}, []),
        ({"isolation_level": IsolationLevel.REPEATABLE_READ}, ["queue_app.E010"]),
        ({"isolation_level": 4}, ["queue_app.E010"]),
        ({"options": "-c statement_timeout=5s -c default_transaction_isolation='Serializable'"}, ["queue_app.E010"]),
        ({"options": r"-c default_transaction_isolation=repeatable\ read"}, ["queue_app.E010"]),
    ],
)
def test_a_level_in_which_a_mark_could_miss_a_stop_is_found(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], found: list[str]
) -> None:
    monkeypatch.setattr(database, "is_postgresql", lambda: True)
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", options)
    assert ids(checks.check_connections(None)) == found


@pytest.mark.django_db
def test_a_server_that_chooses_such_a_level_is_found_where_it_is_asked() -> None:
    assert checks.check_isolation_of_server(None, databases=["default"]) == []
    if database.is_postgresql():
        with connections["default"].cursor() as cursor:
            cursor.execute("SET LOCAL default_transaction_isolation = 'repeatable read'")
        assert ids(checks.check_isolation_of_server(None, databases=["default"])) == ["queue_app.E010"]
        assert checks.check_isolation_of_server(None) == []


@pytest.mark.parametrize(
    ("name", "value", "check_id", "message"),
    [
        ("ROUTES", {"posts.*": ""}, "queue_app.E006", "the queue of 'posts.*' is 1 to 100 characters"),
        ("ROUTES", {"posts.*": "two words"}, "queue_app.E006", "without spaces, not 'two words'"),
        ("ROUTES", {"": "slow"}, "queue_app.E006", "a pattern of job types"),
        ("ROUTES", "posts.*=slow", "queue_app.E006", "not ''"),
        ("CLUSTERS", {"social": "facebook:0"}, "queue_app.E007", "'facebook:0' is not"),
        ("CLUSTERS", {"social": ""}, "queue_app.E007", "lists no queue"),
        ("CLUSTERS", {"social": ["facebook"]}, "queue_app.E007", "the queues of 'social' are text"),
        ("LIMITS", {"account:*": "20"}, "queue_app.E008", "not '20'"),
        ("LIMITS", {"account 7": "20/d"}, "queue_app.E008", "a pattern of keys"),
        ("LIMITS", {"account:7": 20}, "queue_app.E008", "a rate is a number of starts and a window"),
        ("LIMITS", {"account:7": ""}, "queue_app.E008", "a limit needs a rate"),
        ("RETRIES", {"posts.*": "10"}, "queue_app.E011", "not '10'"),
        ("RETRIES", {"two words": "10m"}, "queue_app.E011", "a pattern of job types"),
        ("RETRIES", {"posts.*": 600}, "queue_app.E011", "not '600'"),
    ],
)
def test_settings_that_cannot_be_read_are_found(
    settings: Settings, name: str, value: Any, check_id: str, message: str
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, name: value}
    (found,) = checks.check_routes(None)
    assert ids([found]) == [check_id]
    assert message in found.msg


def test_settings_that_can_be_read_are_left_alone(settings: Settings) -> None:
    settings.SOCIALQ = {
        **settings.SOCIALQ,
        "ROUTES": {"posts.*": "publish"},
        "CLUSTERS": {"social": "facebook:3 linkedin:1"},
        "LIMITS": {"platform:linkedin": "20/d", "account:*": "25/15m 100/d"},
        "RETRIES": {"posts.publish": "10m 10m", "report": "never"},
    }
    assert checks.check_routes(None) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WORKERS", "four", "WORKERS is a number from 1 to 100, not 'four'"),
        ("WORKERS", 0, "WORKERS is a number from 1"),
        ("WORKERS", 2.5, "WORKERS is a whole number, not 2.5"),
        ("MAX_RETRIES", True, "MAX_RETRIES is a number"),
        ("RETRY_MULTIPLIER", 0.5, "RETRY_MULTIPLIER is a number from 1"),
        ("CHECK_INTERVAL_SECONDS", float("nan"), "CHECK_INTERVAL_SECONDS is a number"),
        ("LEASE_SECONDS", None, "LEASE_SECONDS is a number"),
        ("PURGE_AFTER_DAYS", 10**30, "PURGE_AFTER_DAYS is a number"),
        ("HEALTH_MIN_WORKERS_SHARE", 80, "HEALTH_MIN_WORKERS_SHARE is a number from 0 to 1"),
        ("SITE_URL", None, "SITE_URL is plain text"),
    ],
)
def test_settings_of_a_wrong_type_or_beyond_their_bounds_are_found(
    settings: Settings, name: str, value: Any, message: str
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, name: value}
    (found,) = checks.check_settings(None)
    assert ids([found]) == ["queue_app.E009"]
    assert message in found.msg


def test_a_heartbeat_that_is_slower_than_the_lease_is_found(settings: Settings) -> None:
    assert checks.check_settings(None) == []
    settings.SOCIALQ = {**settings.SOCIALQ, "HEARTBEAT_SECONDS": 8, "LEASE_SECONDS": 8}
    assert ids(checks.check_settings(None)) == ["queue_app.W001"]


def test_every_default_passes_its_own_check(settings: Settings) -> None:
    settings.SOCIALQ = {}
    assert checks.check_settings(None) == []


@pytest.mark.parametrize("chosen", ["WORKERS=4", None, [], 4])
def test_settings_that_are_no_dict_are_said_to_be_none(settings: Settings, chosen: Any) -> None:
    settings.SOCIALQ = chosen
    with pytest.raises(ImproperlyConfigured, match="SOCIALQ is a dict of settings by name, not a"):
        checks.check_settings(None)


def test_a_site_behind_a_proxy_must_say_so(settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert ids(checks.check_proxies(None)) == ["queue_app.W002"]
    settings.SOCIALQ = {**settings.SOCIALQ, "TRUSTED_PROXIES": 1}
    assert checks.check_proxies(None) == []


def test_users_in_another_database_than_what_refers_to_them_are_found(settings: Settings) -> None:
    class UsersElsewhere:
        def db_for_write(self, model: Any, **_hints: Any) -> str:
            return "other" if model._meta.app_label == "auth" else "default"

    settings.DATABASE_ROUTERS = [UsersElsewhere()]
    (found,) = checks.check_one_database(None)
    assert "auth.User" in found.msg


def test_a_command_that_answers_checks_our_settings_and_loads_no_page(site: Site) -> None:
    site.env |= {"SOCIALQ_HEARTBEAT_SECONDS": "8", "SOCIALQ_LEASE_SECONDS": "8"}
    said = site.do(
        "import sys\n"
        "from django.core.management import execute_from_command_line\n"
        "sys.stderr = sys.stdout\n"
        "execute_from_command_line(['manage.py', 'queue_status'])\n"
        "print('socialq_site.urls' in sys.modules)"
    )
    assert "queue_app.W001" in said
    assert said.splitlines()[-1] == "False"
