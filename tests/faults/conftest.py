"""What the tests of faults count: each injection when it is made, each test when it ends. ``tests.faults`` tables it.

With ``FAULT_ROUNDS`` every test runs that often, in rounds, until ``FAULTS_END_AT``; with ``FAULTS_LONG`` it does more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.clusters import Clusters
from tests.faults.rounds import END_AT, LONG, ROUNDS, write
from tests.site import Site

Injected = Callable[[str], None]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "row(number): the row of the table of faults that the test belongs to")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if ROUNDS > 1:
        metafunc.fixturenames.append("fault_round")
        metafunc.parametrize("fault_round", range(ROUNDS), ids=[f"round{number}" for number in range(ROUNDS)])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests once before any runs again."""
    items.sort(key=_round)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if (report.when == "call" or report.failed) and not report.skipped:
        _write(item, ended=report.outcome, seconds=call.duration, round=_round(item), long=LONG)
    return report


@pytest.fixture(autouse=True)
def in_time(request: pytest.FixtureRequest) -> None:
    """Leave out what is to come when the time for it is over."""
    if time.time() > END_AT:
        _write(request.node, left_out=True, round=_round(request.node), long=LONG)
        pytest.skip("the time for further tests is over")


@pytest.fixture
def injected(request: pytest.FixtureRequest) -> Injected:
    """Return a function to call with each fault, in words, when it has been injected."""
    return lambda what: _write(request.node, injected=what, times=1)


@pytest.fixture
def clusters(site: Site) -> Clusters:
    """A site with the test app whose clusters a test may start."""
    return Clusters(site)


def _round(item: pytest.Item) -> int:
    callspec = getattr(item, "callspec", None)
    return 0 if callspec is None else callspec.params.get("fault_round", 0)


def _write(item: pytest.Item, **said: Any) -> None:
    row = item.get_closest_marker("row")
    write(database=item.config.getoption("--db"), row=None if row is None else row.args[0], **said)
