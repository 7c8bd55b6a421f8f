"""docs/embedding.md is true: its site is made as it says, in a folder of its own, with the built wheel.

The site's own tests, in ``site``, are run by it. ``EMBEDDING_PYTHON`` is the Python of an environment with the wheel in
it (see noxfile.py); else one is made that has nothing but the wheel and what that needs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import unavailable
from tests.embedding.environment import make_environment
from tests.host import HostSite
from tests.reading import Reader
from tests.site import ROOT

pytestmark = [pytest.mark.one_database, pytest.mark.xdist_group("clusters")]

PAGE = (ROOT / "docs" / "embedding.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
FILES = ROOT / "tests" / "embedding" / "site"
# What is otherwise in some sites: each is followed in a copy of the page's site.
OTHERWISE = ("Users of your own", "Several databases", "Redis for django-q2")
EXTRAS = ("ninja", "prometheus_client", "apprise", "environ")


class Embedded(HostSite):
    """The page's site, run by ``python``. What it warns of is an error."""

    def __init__(self, directory: Path, python: Path) -> None:
        super().__init__(directory, directory, "mysite")
        self.interpreter = str(python)
        self.env |= {"PYTHONPATH": "", "PYTHONWARNINGS": "error"}

    def follow(self, *titles: str) -> None:
        """Do what the page says below these headings."""
        asked = [self.interpreter, "-c", "import django; print('Django %s.%s' % django.VERSION[:2])"]
        django = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        Reader(self, "SQLite", django).follow("\n".join(SECTIONS[title] for title in titles))

    def test(self, *labels: str, settings: str = "mysite.settings") -> None:
        """Run the site's own tests."""
        self.manage("test", "--pattern", "checks*.py", f"--settings={settings}", *labels)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The Python that runs the sites."""
    if given := os.environ.get("EMBEDDING_PYTHON"):
        return Path(given)
    return make_environment(tmp_path_factory.mktemp("environment"), request.getfixturevalue("packages"), "redis")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Iterator[Embedded]:
    """The page's site, after everything that the page says was done."""
    site = Embedded(tmp_path_factory.mktemp("embedding"), python)
    try:
        site.follow(*(title for title in SECTIONS if title not in OTHERWISE))
        shutil.copytree(FILES, site.directory, dirs_exist_ok=True)
        yield site
    finally:
        site.close()


@pytest.fixture
def otherwise(page: Embedded, python: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Embedded]:
    """A copy of the page's site for which one more section was followed; with its data, if that makes no new tables."""
    title: str = request.param
    left = shutil.ignore_patterns("__pycache__", *(["*.sqlite3*", "media"] if "migrate" in SECTIONS[title] else []))
    shutil.copytree(page.directory, tmp_path / "site", ignore=left)
    site = Embedded(tmp_path / "site", python)
    try:
        site.follow(title)
        yield site
    finally:
        site.close()


def test_the_site_runs_the_wheel_without_any_extra(page: Embedded) -> None:
    missing = f"import importlib.util as i; print([name for name in {EXTRAS} if i.find_spec(name)])"
    where = page.python(f"import queue_app, posts; print(queue_app.__file__, posts.__file__); {missing}").splitlines()
    assert not any(path in where[-2] for path in (f"{ROOT}/queue_app", f"{ROOT}/posts"))
    assert where[-1] == "[]"
    assert "no issues" in page.manage("check").stdout
    assert "No changes" in page.manage("makemigrations", "--check", "--dry-run").stdout


def test_articles_are_announced_as_the_page_says_and_every_page_opens_in_german(page: Embedded) -> None:
    page.test("newsroom", "mysite", settings="mysite.german")


def test_the_queue_works_alone(page: Embedded) -> None:
    page.test("reports", settings="mysite.alone")


@pytest.mark.parametrize("otherwise", ["Users of your own"], indirect=True)
def test_users_have_addresses_for_names_and_uuids_for_keys(otherwise: Embedded) -> None:
    otherwise.test("mysite")


@pytest.mark.parametrize("otherwise", ["Several databases"], indirect=True)
def test_everything_of_posts_is_in_the_database_that_a_router_names(otherwise: Embedded) -> None:
    assert "no issues" in otherwise.manage("check").stdout
    tables = "SELECT name FROM sqlite_master WHERE name LIKE 'queue_app%' OR name LIKE 'posts%' OR name LIKE 'archive%'"
    assert otherwise.sql(tables) == [("archive_page",)]
    otherwise.test("mysite.checks_pages.PagesTests.test_writers_see_and_change_what_is_theirs", "newsroom")


@pytest.mark.parametrize("otherwise", ["Redis for django-q2"], indirect=True)
def test_beside_redis_the_jobs_are_run_by_workers(otherwise: Embedded) -> None:
    scheduled = json.loads(otherwise.manage("schedule_post", "--account", "1", "--text", "Hello", "--json").stdout)
    with redis(otherwise):
        otherwise.python("from django_q.tasks import async_task; async_task('math.sqrt', 16)")
        stepped_aside = otherwise.manage("qcluster", "--run-once")
    assert otherwise.sql("SELECT func, success FROM django_q_task") == [("math.sqrt", 1)]
    assert "run manage.py workers for jobs" in stepped_aside.stderr
    assert otherwise.sql("SELECT status FROM posts_post WHERE id = %s", [scheduled["id"]]) == [("scheduled",)]
    otherwise.manage("workers", "--config", "default=1", "--run-once")
    assert otherwise.sql("SELECT status FROM posts_post WHERE id = %s", [scheduled["id"]]) == [("published",)]


@contextmanager
def redis(site: Embedded) -> Iterator[None]:
    """Run a Redis server for ``site``; on a free port, since one may be running where the page has it."""
    program = shutil.which("redis-server")
    if program is None:
        unavailable("redis-server is not installed (on Debian: apt install redis-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (site.directory / "mysite" / "settings.py").open("a") as settings:
        settings.write(f'Q_CLUSTER["redis"]["port"] = {port}\n')
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(site.directory)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            site.wait_until(lambda: answers(port))
            yield
        finally:
            server.terminate()


def answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0
