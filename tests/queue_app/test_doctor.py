"""The doctor: each thing that it finds, how to mend it, and that nothing it meets keeps it from the rest."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterable, Iterator
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from pytest_django import Settings

from queue_app import doctor, workers
from queue_app.doctor import Finding, doctor_check, examine
from tests.queue_app.jobs import Register

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _queue_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_looks", [])


def found(about: str, *, offline: bool = True) -> list[Finding]:
    return [finding for finding in examine(offline=offline) if finding.about == about and finding.level != "ok"]


def test_a_site_in_order_has_no_errors_and_says_what_was_looked_at() -> None:
    workers.register("one", {"default": 1})
    levels = {finding.about: finding.level for finding in examine(offline=True)}
    assert {"settings", "database", "queue", "address"} <= set(levels)
    assert "error" not in levels.values()


def test_settings_are_judged_by_the_systems_checks(settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LIMITS": {"account:*": "often"}}
    (finding,) = found("settings")
    assert (finding.level, "LIMITS has an entry" in finding.says, "200/h" not in finding.mend) == ("error", True, True)


def test_an_https_site_is_judged_as_one_in_production(settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": "https://localhost"}
    assert any("security.W" in finding.says for finding in found("settings"))


def test_what_monitors_are_told_is_told_here_with_the_step_to_take(register: Register) -> None:
    from queue_app import api

    api.enqueue(register(lambda context: None))
    (finding,) = found("queue")
    assert finding == Finding(
        "error",
        "queue",
        "The queue 'default' has 1 due and no worker serves it.",
        "Start one with python manage.py qcluster.",
    )
    assert found("workers")[0].level == "warning"


def test_a_database_that_forgets_in_a_crash_is_found() -> None:
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous = NORMAL" if is_sqlite else "SET synchronous_commit = off")
        assert [finding.level for finding in found("database")] == ["warning"]
        cursor.execute("PRAGMA synchronous = FULL" if is_sqlite else "SET synchronous_commit = on")
        assert found("database") == []
    connection.close()


@pytest.mark.one_database
def test_a_sqlite_file_out_of_shape_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode = DELETE")
    monkeypatch.setattr(connection, "transaction_mode", None)
    try:
        assert [finding.level for finding in found("database")] == ["error", "warning"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")


def test_a_disk_that_fills_is_told_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for free, level in ((50e6, "error"), (500e6, "warning"), (5e9, "ok")):
        monkeypatch.setattr("shutil.disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        assert doctor.room_in("disk", tmp_path).level == level  # type: ignore[arg-type]  # not looked at


def test_an_address_in_the_clear_or_unknown_to_django_is_found(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["social.example.org"]
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": "http://www.example.org"}
    assert [finding.level for finding in found("address")] == ["error", "warning"]
    settings.SOCIALQ = {**settings.SOCIALQ, "SITE_URL": "https://social.example.org"}
    assert found("address") == []


def test_mail_that_goes_nowhere_is_found_and_the_server_asked_unless_offline(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    settings.ADMINS = []
    assert len(found("mail")) == 2
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", taken.getsockname()[1]
        settings.ADMINS = [("Ann", "ann@example.org")]
        assert found("mail") == []
        (finding,) = found("mail", offline=False)
    assert finding.says == "The mail server 127.0.0.1 does not let us in (ConnectionRefusedError)."


def test_what_one_look_trips_over_keeps_the_others_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    @doctor_check
    def broken(offline: bool) -> Iterator[Finding]:
        yield doctor.ok("mine", "Here.")
        raise OperationalError("gone\nwith details")

    @doctor_check
    def later(offline: bool) -> Iterable[Finding]:
        return [doctor.error("later", f"Offline: {offline}.", "Nothing.")]

    assert found("later")[0].says == "Offline: True."
    assert found("database")[-1].says == "It cannot be used: gone."


@pytest.mark.one_database
def test_the_command_says_it_by_line_or_as_json_and_by_its_exit_code() -> None:
    workers.register("one", {"default": 1})
    out = io.StringIO()
    call_command("doctor", "--offline", stdout=out)
    assert "OK      database: " in out.getvalue()
    doctor_check(lambda offline: [doctor.error("mine", "Broken.", "Mend it.")])
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--offline", stdout=out)
    assert (ended.value.code, out.getvalue().endswith("ERROR   mine: Broken.\n        Mend it.\n")) == (1, True)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--offline", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["healthy"] is False
    assert told["findings"][-1] == {"level": "error", "about": "mine", "says": "Broken.", "mend": "Mend it."}
