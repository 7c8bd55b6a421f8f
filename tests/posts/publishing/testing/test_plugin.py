"""The plugin in a project of somebody else: however it gets loaded, it is loaded once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from posts.publishing.testing.rules import GUIDE, RULES
from tests.site import ROOT

BY_NAME = ("-p", "posts.publishing.testing.plugin")
CHECKS = """
from posts.publishing.testing.rules import rule

class TestMine:
    @rule("once")
    def test_right(self): pass

    @rule("pieces")
    def test_wrong(self): assert [1] == [2]

def test_of_no_rule(): assert False
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with tests, and what an installation of SocialQ leaves on the path."""
    (tmp_path / "test_mine.py").write_text(CHECKS)
    info = tmp_path / "socialq-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: socialq\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[pytest11]\nsocialq = posts.publishing.testing.plugin\n")
    return tmp_path


def run(project: Path, *arguments: str, **more: str) -> str:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{project}:{ROOT}", **more}
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", *arguments]
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)
    assert "2 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "autoload"),
    [((), True), (BY_NAME, True), (BY_NAME, False), (("-p", "socialq"), False), (("-p", "xdist", "-n1"), True)],
    ids=["by its entry point", "by both", "by name", "by its short name", "in workers"],
)
def test_broken_rules_are_gathered_at_the_end(project: Path, arguments: tuple[str, ...], autoload: bool) -> None:
    said = run(project, *arguments, **({} if autoload else {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}))
    end = said[said.index("rules of SocialQ's kit that are broken") :]
    assert f"pieces: {RULES['pieces']}\n    test_mine.py::TestMine::test_wrong\n" in end
    assert "once:" not in end
    assert said.count("rules of SocialQ's kit") == 1


def test_a_failure_names_its_rule_without_the_plugin(project: Path) -> None:
    said = run(project, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert f"Broken rule “pieces”: {RULES['pieces']}" in said
    assert f"Read {GUIDE}, “pieces”." in said
    assert "rules of SocialQ's kit" not in said


def test_it_loads_nothing_of_the_kit_itself() -> None:
    code = "import sys, posts.publishing.testing.plugin; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"PIL", "httpx2", "django", "posts.publishing.http"}
