"""What every test relies on: which database, an environment of its own, no way out of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import STRICT, unavailable
from tests.host import install_wheel
from tests.postgres import PrivatePostgres, Server, binaries
from tests.site import Databases, PostgresDatabases, Site, SqliteDatabases, environment, open_site

DATABASE_FIXTURES = {"db", "transactional_db", "live_server", "site", "site_databases", "own_postgres"}
PROCESS_FIXTURES = {"live_server", "site", "own_postgres", "packages", "chromium"}
# The engine without windows comes first: it shows the same pages with half the work.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
NEVER_EMPTIED = {"django_content_type", "auth_permission"}
folder_key = pytest.StashKey[Path]()
postgres_key = pytest.StashKey[PrivatePostgres]()


class OutsideConnectionError(AssertionError):
    """A test tried to reach another machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="the database of the tests; with postgresql only those run that touch a database",
    )
    parser.addoption("--in-process", action="store_true", help="only tests that start no process of the site")


def pytest_configure(config: pytest.Config) -> None:
    """Settle the environment before pytest-django sets Django up, which it does last."""
    _forbid_outside_connections()
    if not config.pluginmanager.has_plugin("socialq"):  # an installed package has brought it by its entry point
        config.pluginmanager.import_plugin("posts.publishing.testing.plugin")
    folder = config.stash[folder_key] = Path(tempfile.mkdtemp(prefix="socialq-tests-"))
    url = f"sqlite:///{folder / 'unused.sqlite3'}"
    if config.getoption("--db") == "postgresql":
        url = _postgresql_url(config)
    for name in [name for name in os.environ if name.startswith(("SOCIALQ_", "QUEUE_"))]:
        del os.environ[name]
    os.environ.update(environment(folder, url))
    from django.conf import settings

    # A file, not memory: two threads have two connections.
    if config.getoption("--db") == "sqlite":
        settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(folder / "tests.sqlite3")
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # logging in is not what takes time


def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the run's PostgreSQL is."""
    if postgres_key in node.config.stash:
        node.workerinput["postgres_port"] = node.config.stash[postgres_key].port


def pytest_unconfigure(config: pytest.Config) -> None:
    if postgres_key in config.stash:
        config.stash[postgres_key].close()
    if folder_key in config.stash:
        shutil.rmtree(config.stash[folder_key], ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """On PostgreSQL keep what its database matters to; on SQLite leave out what needs a PostgreSQL server.

    Then, once all is shuffled: groups go first, which one worker does alone, so that none is begun at the very end.
    Tests that start processes, and wait for them, are spread among those that do not, so that no processor idles.
    """
    postgresql = config.getoption("--db") == "postgresql"
    chosen = [item for item in items if (_needs_both(item) if postgresql else not _needs_postgres(item))]
    if config.getoption("--in-process"):
        chosen = [item for item in chosen if not _starts_processes(item)]
    left_out = set(items).difference(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = chosen
    yield
    grouped: list[pytest.Item] = []
    waiting: list[pytest.Item] = []
    quick: list[pytest.Item] = []
    for item in items:
        is_grouped = item.get_closest_marker("xdist_group") is not None
        (grouped if is_grouped else waiting if _starts_processes(item) else quick).append(item)
    turns = [(place / len(kind), item) for kind in (waiting, quick) for place, item in enumerate(kind)]
    items[:] = [*grouped, *(item for _, item in sorted(turns, key=lambda turn: turn[0]))]


@pytest.fixture(scope="session")
def site_databases(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Where the fixture ``site`` gets its databases from: those of ``--db``."""
    directory = tmp_path_factory.mktemp("databases")
    shared = directory.parent if "PYTEST_XDIST_WORKER" not in os.environ else directory.parent.parent
    if pytestconfig.getoption("--db") == "sqlite":
        return SqliteDatabases(directory, shared / "site_template.sqlite3")
    return PostgresDatabases(Server(_postgres_port(pytestconfig)), directory, "site", shared / "site_template.made")


@pytest.fixture
def site(site_databases: Databases, tmp_path: Path) -> Iterator[Site]:
    """A real site with an empty, migrated database; its processes are killed when the test ends."""
    with open_site(site_databases, f"site_{uuid.uuid4().hex[:12]}", tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the built wheel, installed without what it needs."""
    return install_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def own_postgres() -> Iterator[PrivatePostgres]:
    """A durable PostgreSQL server for one test that stops or kills it. Runs with ``--db=postgresql`` only."""
    server = PrivatePostgres(durable=True)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(autouse=True, scope="session")
def _tables_are_emptied_quickly() -> None:
    """Delete the few rows of a test, where TRUNCATE would make new files for every table of PostgreSQL. "flush" would
    write anew each time what is left as it is here."""
    from django.db import connection
    from django.test import TransactionTestCase

    def delete_all(_case: TransactionTestCase) -> None:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        names = [connection.ops.quote_name(table) for table in tables if table not in NEVER_EMPTIED]
        connection.ops.execute_sql_flush([f"DELETE FROM {name}" for name in names])

    TransactionTestCase._fixture_teardown = delete_all


@pytest.fixture(autouse=True, scope="session")
def _static_files_are_looked_for_once() -> None:
    """Let the site of each test client know the apps' files from the first, which has looked through their folders."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    look, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, Any]()

    def add_found(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = add_found


@pytest.fixture(autouse=True, scope="session")
def _pages_alone_are_remembered(django_test_environment: None) -> None:
    """Keep the context of what is made for a request, as tests read it, and not that of each field and its choices."""
    from django.template import Context, RequestContext, Template
    from django.test.signals import template_rendered

    def render(template: Template, context: Context) -> str:
        if isinstance(context, RequestContext):
            template_rendered.send(sender=template, template=template, context=context)
        return template.nodelist.render(context)

    Template._render = render


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium, for Playwright's ``executable_path``."""
    return next(filter(None, map(shutil.which, CHROMIUMS)), None) or unavailable("Chromium is not installed")


def _touches_database(item: pytest.Item) -> bool:
    from django.test import TransactionTestCase

    of_class = isinstance(item, pytest.Function) and item.cls is not None and issubclass(item.cls, TransactionTestCase)
    fixtures = set(getattr(item, "fixturenames", ()))
    return of_class or item.get_closest_marker("django_db") is not None or bool(fixtures & DATABASE_FIXTURES)


def _needs_both(item: pytest.Item) -> bool:
    """Return whether a test shows something else on another database.

    What people see is the same on both: in a browser the whole story is enough.
    """
    is_seen = item.get_closest_marker("browser") is not None and item.get_closest_marker("story") is None
    return _touches_database(item) and not is_seen and item.get_closest_marker("one_database") is None


def _starts_processes(item: pytest.Item) -> bool:
    marked = any(item.get_closest_marker(name) is not None for name in ("browser", "faults"))
    return marked or not PROCESS_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def _needs_postgres(item: pytest.Item) -> bool:
    return "own_postgres" in getattr(item, "fixturenames", ()) or item.get_closest_marker("postgresql") is not None


def _postgresql_url(config: pytest.Config) -> str:
    """Return the run's database on its private server, which the first process starts and the workers share."""
    if not hasattr(config, "workerinput"):
        if binaries() is None:
            reason = "PostgreSQL is not installed; the tests were not run on it"
            pytest.exit(reason, returncode=pytest.ExitCode.USAGE_ERROR if os.environ.get(STRICT) else 0)
        server = config.stash[postgres_key] = PrivatePostgres()
        server.start()
    return Server(_postgres_port(config)).url("socialq")


def _postgres_port(config: pytest.Config) -> int:
    if postgres_key in config.stash:
        return config.stash[postgres_key].port
    port: int = config.workerinput["postgres_port"]  # type: ignore[attr-defined]  # pytest-xdist's attribute
    return port


def _forbid_outside_connections() -> None:
    """Let sockets of this process reach this machine alone."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check(address: Any, family: int) -> None:
        if family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if host not in ("localhost", "::1", "") and not host.startswith("127."):
                raise OutsideConnectionError(f"a test tried to connect to {address}; fake the server on 127.0.0.1")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(address, self.family)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(address, self.family)
        return connect_ex(self, address)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign]  # for the whole run
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign]  # for the whole run
