"""docs/adding_a_platform.md is true: its package passes the kit's checks and publishes through a real site."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from posts.publishing.http import Http
from posts.publishing.testing.rules import RULES
from tests.site import ROOT, Site

PAGE = (ROOT / "docs" / "adding_a_platform.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.(?:py|toml))\n")
INSTALLATION = "python -m pip install --editable . pytest"
FAKE = "python fake_corkboard.py --port 8765"


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE) if found == kind]


def lines(kind: str) -> list[str]:
    return [line for text in blocks(kind) for line in text.splitlines()]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files in a folder, with what an installation leaves beside them: the entry points of both packages."""
    folder = tmp_path_factory.mktemp("corkboard")
    for text in (*blocks("toml"), *blocks("python")):
        head = FILE.match(text)
        assert head, f"a block of the page does not say which file it is: {text[:60]}"
        (folder / head[1]).write_text(text.removeprefix(head[0]))
    declare(folder, folder / "pyproject.toml")
    declare(folder, ROOT / "pyproject.toml")
    return folder


def declare(folder: Path, pyproject: Path) -> None:
    """Write the metadata of an installed package, as importlib finds it on the path."""
    project = tomllib.loads(pyproject.read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))


def run(package: Path, line: str, *arguments: str, **more: str) -> str:
    """Run a line of the page in the package's folder; return what it printed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, *line.split()[1:], *arguments]
    environment = kept | more | {"PYTHONPATH": f"{package}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_no_line_that_its_test_does_not_know() -> None:
    known = (INSTALLATION, FAKE, "python -m pytest", "export ", "python manage.py ")
    assert not [line for line in lines("sh") if not line.startswith(known)]


@pytest.mark.parametrize("line", [line for line in lines("sh") if line.startswith("python -m pytest")])
def test_the_platform_passes_the_checks(package: Path, line: str) -> None:
    said = run(package, line, "-v")
    assert " failed" not in said
    assert [shown for shown in blocks("text")[0].splitlines() if shown not in said] == []


def test_the_checks_run_where_no_plugin_is_loaded_by_itself(package: Path) -> None:
    run(package, "python -m pytest -p posts.publishing.testing.plugin", "-q", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


@contextmanager
def fake(package: Path) -> Iterator[str]:
    """The page's fake as a process, on a port that is free."""
    command = [sys.executable, *FAKE.replace("8765", "0").split()[1:]]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{package}:{ROOT}"}
    with subprocess.Popen(command, cwd=package, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            assert process.wait(10) == 0


@pytest.mark.faults
@pytest.mark.one_database
@pytest.mark.xdist_group("clusters")
def test_a_site_publishes_through_it(package: Path, site: Site) -> None:
    site.env["PYTHONPATH"] = f"{package}:{site.env['PYTHONPATH']}"
    token = re.search(r'^TOKEN = "(.+)"', PAGE, re.MULTILINE)
    assert token
    with fake(package) as url:
        for line in lines("sh"):
            match line.split(maxsplit=1):
                case ["export", assignment]:
                    name, value = assignment.split("=", 1)
                    site.env[name] = value.replace("http://127.0.0.1:8765", url)
                case ["python", command] if command == "manage.py qcluster":
                    site.spawn("qcluster")
                case ["python", command] if command.startswith("manage.py "):
                    arguments = re.findall(r'"([^"]*)"|(\S+)', command)[1:]
                    site.manage(*(quoted or plain for quoted, plain in arguments), input=f"{token[1]}\n")
        wanted = blocks("text")[-1].splitlines()
        http = Http(allow_private=True, timeout_seconds=5, refuse_when=lambda: False)

        def accepted() -> list[str]:
            posts = http.request("GET", f"{url}/_log").json()["accepted"]
            return [f"{post['platform']}: {post['text']}" for post in posts]

        site.wait_until(lambda: accepted() == wanted, 60)
        published = "SELECT status FROM posts_post"
        site.wait_until(lambda: site.sql(published) == [("published",)], 60)


def test_the_page_has_every_rule_as_the_kit_says_it() -> None:
    told = " ".join(PAGE[PAGE.index("## The rules") :].split())
    assert [name for name, sentence in RULES.items() if f"### {name} {sentence}" not in told] == []
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == list(RULES)
