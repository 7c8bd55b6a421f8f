from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.site import Site

SHOW = "from django.conf import settings; print({})"


@pytest.fixture
def bare_site(tmp_path: Path) -> Site:
    """A site without a database yet, with only what a deployment must set."""
    return Site(tmp_path, f"sqlite:///{tmp_path / 'data' / 'bare.sqlite3'}")


def setting(site: Site, expression: str) -> str:
    return site.python(SHOW.format(expression)).strip()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("SOCIALQ_WORKRS", "3", "Wrong setting: SOCIALQ_WORKRS is not a setting; did you mean SOCIALQ_WORKERS?"),
        ("SOCIALQ_WORKERS", "x", 'Wrong setting: SOCIALQ_WORKERS is "x"; expected a whole number, 0 or more'),
        ("TIME_ZONE", "Mars/X", 'Wrong setting: TIME_ZONE is "Mars/X"; expected a zone name like Europe/Berlin'),
        ("PORT", "http", 'Wrong setting: PORT is "http"; expected a port number'),
        (
            "SECRET_KEY",
            "",
            "Wrong setting: SECRET_KEY is not set; set it, or run python -m socialq_site.bootstrap to make one",
        ),
    ],
)
@pytest.mark.parametrize("command", ["check", "queue_status", "no_such_command"])
def test_a_wrong_setting_is_one_line_and_exit_code_1(
    bare_site: Site, name: str, value: str, line: str, command: str
) -> None:
    bare_site.env[name] = value
    done = bare_site.manage(command, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line + "\n")


def test_the_environment_wins_over_the_file_and_the_file_over_the_made_secrets(bare_site: Site) -> None:
    del bare_site.env["SECRET_KEY"]
    (bare_site.directory / "var").mkdir()
    (bare_site.directory / "var" / "secrets.env").write_text("SECRET_KEY=made\nTIME_ZONE=Asia/Tokyo\n")
    (bare_site.directory / ".env").write_text("TIME_ZONE=Europe/Berlin\nSOCIALQ_WORKERS=2\nQUEUE_MAX_RETRIES=7\n")
    bare_site.env["SOCIALQ_WORKERS"] = "9"
    shown = setting(
        bare_site,
        "settings.SECRET_KEY, settings.TIME_ZONE, settings.SOCIALQ['WORKERS'], settings.SOCIALQ['MAX_RETRIES']",
    )
    assert shown == "made Europe/Berlin 9 7"


def test_nothing_of_a_file_reaches_the_environment_of_other_programs(bare_site: Site) -> None:
    (bare_site.directory / ".env").write_text("EMAIL_URL=smtp://me:canary@localhost\n")
    code = "import os; from django.conf import settings; print(settings.EMAIL_HOST_PASSWORD, 'EMAIL_URL' in os.environ)"
    assert bare_site.python(code).strip() == "canary False"


def test_what_the_site_writes_is_its_owners_alone(bare_site: Site) -> None:
    bare_site.manage("diffsettings")
    assert (bare_site.directory / "var").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_named(bare_site: Site) -> None:
    bare_site.env["VAR_DIR"] = "/dev/null/var"
    done = bare_site.manage("check", check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("Wrong setting: /dev/null/var")
    assert "set VAR_DIR" in done.stderr


def test_sqlite_is_durable_and_shared_without_locked_errors(site: Site) -> None:
    if not site.database_url.startswith("sqlite:"):
        pytest.skip("about SQLite")
    pragmas = "('journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout')"
    code = (
        "from django.db import connection\n"
        "with connection.cursor() as cursor:\n"
        f"    for name in {pragmas}: cursor.execute(f'PRAGMA {{name}}'); print(cursor.fetchone()[0], end=' ')\n"
        "print(connection.transaction_mode)"
    )
    assert site.python(code).strip() == "wal 2 1 20000 IMMEDIATE"


def test_a_sqlite_file_in_a_folder_that_is_not_there_is_made(bare_site: Site) -> None:
    bare_site.manage("migrate", "--no-input", "--verbosity=0")
    with sqlite3.connect(bare_site.directory / "data" / "bare.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM django_migrations").fetchone()[0] > 0
    connection.close()


def test_an_https_address_makes_the_site_strict(bare_site: Site) -> None:
    bare_site.env |= {"SITE_URL": "https://social.example.org/", "ALLOWED_HOSTS": ""}
    shown = setting(
        bare_site,
        "settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS > 0, "
        "settings.CSRF_TRUSTED_ORIGINS, settings.ALLOWED_HOSTS[-1], settings.SOCIALQ['SITE_URL']",
    )
    expected = "True True True ['https://social.example.org'] social.example.org https://social.example.org"
    assert shown == expected


def test_the_address_follows_the_port_where_none_is_given(bare_site: Site) -> None:
    bare_site.env["PORT"] = "8123"
    assert setting(bare_site, "settings.SITE_URL, settings.SESSION_COOKIE_SECURE") == "http://127.0.0.1:8123 False"


def test_production_settings_pass_djangos_own_checks(bare_site: Site) -> None:
    bare_site.env |= {"SITE_URL": "https://social.example.org", "SOCIALQ_TRUSTED_PROXIES": "1"}
    done = bare_site.manage("check", "--deploy", "--fail-level", "WARNING")
    assert "no issues" in done.stdout
