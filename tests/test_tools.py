"""The tests' own tools do what the tests rely on."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest

from tests.conftest import OutsideConnectionError
from tests.postgres import PrivatePostgres
from tests.site import Site


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_no_socket_reaches_another_machine(method: str) -> None:
    with socket.socket() as outside, pytest.raises(OutsideConnectionError, match=r"192\.0\.2\.1"):
        getattr(outside, method)(("192.0.2.1", 80))


def test_a_site_has_a_migrated_database_of_its_own(site: Site) -> None:
    site.sql("INSERT INTO auth_group (name) VALUES (%s)", ["editors"])
    assert site.sql("SELECT name FROM auth_group WHERE name = %s", ["editors"]) == [("editors",)]
    names = site.python("from django.contrib.auth.models import Group; print(*Group.objects.values_list('name'))")
    assert names.strip() == "('editors',)"


def test_what_a_site_does_at_once_reads_its_own_settings_and_database(site: Site) -> None:
    site.env["SOCIALQ_WORKERS"] = "7"
    site.do("from django.contrib.auth.models import Group\nGroup.objects.create(name='editors')")
    assert site.sql("SELECT name FROM auth_group") == [("editors",)]
    said = site.do("from django.conf import settings\nprint(settings.SOCIALQ['WORKERS'], settings.MEDIA_ROOT)")
    assert said == f"7 {site.directory / 'var' / 'media'}\n"
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        site.do("1 / 0")


def test_a_second_site_starts_empty(site: Site) -> None:
    assert site.sql("SELECT count(*) FROM auth_group") == [(0,)]


def test_what_a_site_spawns_ends_with_it(site: Site) -> None:
    process = site.spawn("shell", "-c", "print('ready'); import time; time.sleep(600)")
    site.wait_until(lambda: b"ready" in site.log.read_bytes())
    site.close()
    assert process.returncode == -9


def test_waiting_in_vain_tells_what_the_processes_said(site: Site) -> None:
    site.spawn("no_such_command")
    site.wait_until(lambda: b"Unknown command" in site.log.read_bytes())
    with pytest.raises(AssertionError, match="Unknown command"):
        site.wait_until(lambda: False, seconds=0)


@pytest.mark.parametrize("mode", ["smart", "fast", "immediate"])
def test_a_server_keeps_its_data_however_it_is_stopped(own_postgres: PrivatePostgres, mode: str) -> None:
    url = own_postgres.create_database("kept")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    own_postgres.stop(mode)  # type: ignore[arg-type]  # parametrize knows no literals
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    own_postgres.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]


def test_a_servers_folder_goes_with_it(own_postgres: PrivatePostgres) -> None:
    assert Path(own_postgres.directory, "data", "PG_VERSION").exists()
    own_postgres.close()
    assert not own_postgres.directory.exists()
