"""Every word for people can be translated: none in a template or in what speaks to people stands unmarked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site import ROOT
from tests.translation.unmarked import in_python, in_template, templates

TEMPLATES = sorted([*templates(ROOT / "queue_app"), *templates(ROOT / "posts"), *templates(ROOT / "templates")])
# What speaks to people: the admin, what services refuse and why, and what selectors and the queue explain.
SPEAKING = sorted(
    path
    for pattern in (
        "*/admin/*.py",
        "*/templatetags/*.py",
        "posts/services/*.py",
        "posts/selectors/*.py",
        "queue_app/explain.py",
    )
    for path in ROOT.glob(pattern)
    if path.parts[len(ROOT.parts)] in ("posts", "queue_app")
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_word_of_a_template_is_marked(path: Path) -> None:
    assert in_template(path.read_text()) == []


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_sentence_in_python_is_marked(path: Path) -> None:
    assert in_python(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Save it</p>", ["Save it"]),
        ('<p>{% translate "Save it" %} {{ row }} 7 × <code>make run</code></p>', []),
        ("{% blocktranslate %}{{ n }} posts{% endblocktranslate %}{# a comment #}", []),
        ('<img alt="A cat" src="cat.png"><input type="submit" value="Go" name="_go">', ["A cat", "Go"]),
        ("{{ row.name|default:'nobody' }}{{ row.name|default:'–' }}", ["nobody"]),
        ("{% if a %}One{% else %}Two{% endif %}", ["OneTwo"]),
    ],
)
def test_finds_what_a_template_says_unmarked(source: str, found: list[str]) -> None:
    assert in_template(source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('raise Refused("Choose a time")', [(1, "Choose a time")]),
        ('raise Refused(gettext("Choose a time"))', []),
        ('say(f"{post} is out")', [(1, "{} is out")]),
        ('"""What it does."""\nlogger.info("one two %s", 3)', []),
        ('name, label = "retry", "Retry"', [(1, "Retry")]),
        ('name, label = "retry", _("Retry")', []),
        ('context = {"title": "History"}\nshow(title="History")', [(1, "History"), (2, "History")]),
    ],
)
def test_finds_what_python_says_unmarked(source: str, found: list[tuple[int, str]]) -> None:
    assert in_python(source) == found
