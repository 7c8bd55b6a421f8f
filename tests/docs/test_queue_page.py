"""docs/queue.md is true: its blocks run, in their order, in a folder of their own with the wheel of this repository."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.host import HostSite
from tests.postgres import Server
from tests.reading import Reader
from tests.site import ROOT

# The mark has the page run on both databases.
pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.xdist_group("clusters")]

PAGE = (ROOT / "docs" / "queue.md").read_text()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, packages: Path) -> Iterator[Reader]:
    """The page's site, after everything that the page says was done. Its cluster runs."""
    directory = tmp_path_factory.mktemp("page")
    if pytestconfig.getoption("--db") == "sqlite":
        with_page = _followed(HostSite(directory, packages, "mysite"), "SQLite")
    else:
        port = urlsplit(os.environ["DATABASE_URL"]).port or 0
        server = Server(port)
        site = HostSite(directory, packages, "mysite", server.create_database("mysite"))
        site.env |= {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "tests"}
        with_page = _followed(site, "PostgreSQL")
    yield from with_page
    if pytestconfig.getoption("--db") == "postgresql":
        server.drop_database("mysite")


def _followed(site: HostSite, database: str) -> Iterator[Reader]:
    try:
        reader = Reader(site, database)
        reader.follow(PAGE)
        yield reader
    finally:
        site.close()


def rows(page: Reader, job_type: str, columns: str) -> list[tuple[Any, ...]]:
    """Return columns of the jobs of one type, in the order in which they were added."""
    return page.site.sql(f"SELECT {columns} FROM queue_app_job WHERE type = %s ORDER BY id", [job_type])


def moment(value: datetime | str) -> datetime:
    """Return a column of time as such: SQLite's own driver gives it as text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def test_the_site_runs_the_wheel_and_is_in_order(page: Reader) -> None:
    where = page.site.python("import queue_app, sys; print(queue_app.__file__, 'posts' in sys.modules)").split()
    assert not Path(where[-2]).is_relative_to(ROOT)
    assert where[-1] == "False"
    assert "no issues" in page.site.manage("check").stdout


def test_both_job_types_ran(page: Reader) -> None:
    page.site.wait_until(lambda: rows(page, "reports.build", "state") == [("completed",)] * 2)
    assert rows(page, "reports.mail", "state")[:2] == [("completed",)] * 2


def test_the_limit_held(page: Reader) -> None:
    third = rows(page, "reports.mail", "state, parked_by, attempts")[2]
    assert third == ("pending", "limit:recipient:ada", 0)


def test_the_periodic_job_ran_once_and_its_next_waits_an_hour_from_its_end(page: Reader) -> None:
    (first, finished_at, _), (second, _, run_at) = rows(page, "reports.tidy", "state, finished_at, run_at")
    assert (first, second) == ("completed", "pending")
    assert moment(run_at) - moment(finished_at) == timedelta(hours=1)


def test_the_schedule_enqueued_a_job_of_ours_which_ran(page: Reader) -> None:
    assert rows(page, "reports.mail", "unique_key, state")[3] == ("daily mail", "completed")
    assert page.site.sql("SELECT func FROM django_q_task WHERE success") == [("queue_app.api.enqueue",)]


def test_the_receiver_heard_of_the_failure(page: Reader) -> None:
    assert "job 2 failed: there is no month 13" in page.site.log.read_text()


def test_ctrl_c_ends_the_cluster_in_order(page: Reader) -> None:
    page.cluster.send_signal(signal.SIGINT)
    assert page.cluster.wait(30) == 0
