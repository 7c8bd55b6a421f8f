from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.checks import CheckMessage
from django.db import connections
from pytest_django import Settings

from queue_app import checks, database
from queue_app.models import Job


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
