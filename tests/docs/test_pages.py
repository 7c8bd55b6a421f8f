"""README.md and docs/ agree with the code and with each other: links lead somewhere, commands and examples are real."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from queue_app import api, registry
from tests.site import ROOT

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = ("|", "&&", "<", ">", ";")
COMMAND = re.compile(r"^\| `(?P<name>\w+)(?P<options>[^`]*)` \|", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{page.name} links to {target}"


def test_the_readme_has_a_row_for_every_page() -> None:
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert {page for page in pages if f"({page})" not in README} == set()


def test_the_readme_names_every_command_of_the_queue_and_options_that_it_has() -> None:
    table = README[README.index("## Jobs on the command line") :]
    named = {match["name"]: set(re.findall(r"--[\w-]+", match["options"])) for match in COMMAND.finditer(table)}
    commands = {path.stem for path in (ROOT / "queue_app" / "management" / "commands").glob("[!_]*.py")}
    assert set(named) == commands
    for name, options in named.items():
        assert get_commands()[name] == "queue_app"
        parser = load_command_class("queue_app", name).create_parser("manage.py", name)
        assert options <= set(parser._option_string_actions), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_written_as_it_can_be_typed(page: Path) -> None:
    blocks = re.findall(r"^ *```(?:sh|bash)\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
    for line in re.findall(r"\b(?:manage\.py|manage) (\w.*)", "\n".join(blocks)):
        words = shlex.split(line, comments=True)
        words = words[: next((place for place, word in enumerate(words) if word in SHELL), len(words))]
        name, *arguments = words
        app = get_commands()[name]
        if app not in ("queue_app", "posts"):
            continue
        parser = load_command_class(app, name).create_parser("manage.py", name)
        parser.called_from_command_line = False  # it raises CommandError in place of ending the tests
        parser.parse_args(arguments)


@pytest.mark.django_db(transaction=True)
def test_the_readmes_job_is_enqueued_explained_cancelled_and_retried() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README[README.index("A job of your own") :], re.DOTALL)
    try:
        for block in blocks:
            exec(block, names := {})  # noqa: S102 -- our own page
    finally:
        registry.unregister("greet")
    assert api.get_status(names["job"].pk) == "pending"
    assert [job.type for job in api.pending()] == ["greet"]
