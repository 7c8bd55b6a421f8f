"""The kit finds out each way in which Postcard is broken, by the rule that is broken, and leaves a right one alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest

from posts.publishing.testing.rules import RULES
from tests.posts.publishing.broken.faults import FAULTS
from tests.posts.publishing.broken.postcard import Postcard
from tests.site import ROOT

pytestmark = pytest.mark.xdist_group("broken platforms")  # whose checks run once, for all tests of this file

SUITE = "tests/posts/publishing/broken/suite.py"
# Every call with every answer is tried on Postcard; on the broken ones an answer of each kind does.
LEFT_OUT = (
    "drip",
    "every_call and not (401 or 500)",
    "every_call_of_preparing and not 500",
    "every_refusal and not (401 or 418 or 500)",
    "quotes_a_secret and not (401 or 500)",
    "while_looking and not (overload or page or cut)",
    "follows_a_redirect and not 302",
    "server_fault_after and not 503",
    "unreadable_success and not (welcome or error)",
    "while_refreshing and not 503",
    "(lost_answer or lost_commit) and before",
)
SELECTED = f"TestPostcard or not ({' or '.join(f'({each})' for each in LEFT_OUT)})"

Broken = Mapping[str, frozenset[str]]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the checks on all of them, as another project would: without this one's fixtures and plugins."""
    xml = tmp_path_factory.mktemp("broken") / "report.xml"
    command = [sys.executable, "-m", "pytest", "--noconftest", "-q", f"--junitxml={xml}", "-k", SELECTED]
    done = subprocess.run(
        [*command, "-p", "posts.publishing.testing.plugin", SUITE],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    return xml, done.stdout


@pytest.fixture(scope="module")
def broken(report: tuple[Path, str]) -> Broken:
    """The broken rules of each class of the suite."""
    found: dict[str, set[str]] = defaultdict(set)
    for case in parse(report[0]).iter("testcase"):  # noqa: S314 - our own file
        rules = {str(each.get("value")) for each in case.iter("property") if each.get("name") == "socialq_rule"}
        assert rules, f"{case.get('name')} belongs to no rule"
        failed = case.find("failure") is not None or case.find("error") is not None
        found[str(case.get("classname")).rsplit(".", 1)[1]] |= rules if failed else set()
    return {name: frozenset(rules) for name, rules in found.items()}


def test_the_right_one_passes_every_check(broken: Broken) -> None:
    assert broken["TestPostcard"] == frozenset()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_broken_one_breaks_exactly_its_rules(broken: Broken, fault: type[Postcard]) -> None:
    assert broken[f"Test{fault.__name__}"] == frozenset(FAULTS[fault])


def test_every_rule_is_what_some_fault_is_about() -> None:
    assert {rules[0] for rules in FAULTS.values()} == set(RULES)


def test_a_failure_names_the_rule_and_where_to_read(report: tuple[Path, str]) -> None:
    _, said = report
    assert f"Broken rule “pieces”: {RULES['pieces']}" in said
    assert "Read docs/adding_a_platform.md, “pieces”." in said
    assert "rules of SocialQ's kit that are broken" in said
