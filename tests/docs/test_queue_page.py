"""docs/queue.md is true: its blocks run, in their order, in a folder of their own with the wheel of this repository."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.host import HostSite, install_wheel
from tests.postgres import Server
from tests.site import ROOT

# The mark has the page run on both databases.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("clusters")]

PAGE = (ROOT / "docs" / "queue.md").read_text()
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (?P<path>\S+\.py)(?P<added>, at its end)?(, on (?P<database>\w+))?\n")
SHELL = "# python manage.py shell\n"
# What differs from run to run: times, and numbers with a fraction.
VARYING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d+\.\d+")
INSTALLATION = ("python -m build --wheel", "python -m pip install dist/socialq-0.1.0-py3-none-any.whl")


class Reader:
    """Does what the page says. ``cluster`` is the process that it starts."""

    def __init__(self, site: HostSite, database: str) -> None:
        self.site = site
        self.cluster: Any = None
        self._database = database
        self._said = ""
        self._again: tuple[str, ...] = ()

    def follow(self) -> None:
        """Run every block of the page."""
        for kind, text in BLOCK.findall(PAGE):
            match kind:
                case "sh":
                    for line in text.splitlines():
                        self._type(line)
                case "python":
                    self._enter(text)
                case _:
                    self._wait_for(text)

    def _type(self, line: str) -> None:
        match line.split():
            case ["python", "-m", ("build" | "pip"), *_]:
                assert line in INSTALLATION  # done by the fixture, without a network
            case ["python", "manage.py", "qcluster"]:
                self.cluster = self.site.spawn("qcluster")
            case ["python", "manage.py", *arguments]:
                self._again = tuple(arguments)
                self._said = self.site.manage(*arguments).stdout
            case ["python", *arguments]:
                self.site.run(*arguments)
            case _:
                raise AssertionError(f"the page has a command that its test does not know: {line}")

    def _enter(self, code: str) -> None:
        if code.startswith(SHELL):
            self._again = ()
            self._said = self.site.manage("shell", input=code).stdout
            return
        head = FILE.match(code)
        assert head, f"a block of the page does not say where it belongs: {code}"
        if head["database"] in (None, self._database):
            with (self.site.directory / head["path"]).open("a" if head["added"] else "w") as file:
                file.write(code)

    def _wait_for(self, text: str) -> None:
        try:
            self.site.wait_until(lambda: self._was_said(text), 60)
        except AssertionError as error:
            raise AssertionError(f"the page shows\n{text}\nand what was printed is\n{self._said}\n{error}") from error

    def _was_said(self, text: str) -> bool:
        """Say whether the last command has printed the lines of ``text``; if not, ask it once more."""
        said = VARYING.sub("#", self._said).splitlines()
        if all(line in said for line in VARYING.sub("#", text).splitlines()):
            return True
        assert self._again, f"the page shows\n{text}\nand what was printed is\n{self._said}"
        self._said = self.site.manage(*self._again).stdout
        return False


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Reader]:
    """The page's site, after everything that the page says was done. Its cluster runs."""
    folder = tmp_path_factory.mktemp("page")
    packages, directory = install_wheel(folder), folder / "site"
    directory.mkdir()
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
        reader.follow()
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
