from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

import posts
from posts.platforms._graph_rows import Throttle, shared_rows, shared_words
from posts.publishing import errors, registry
from posts.publishing.capabilities import Window
from posts.publishing.words import WORDS, next_step, sentence
from posts.selectors.platforms import window_words

ROOT = Path(posts.__file__).parent
KIT = [path for folder in ("publishing", "platforms", "outbox") for path in sorted((ROOT / folder).glob("*.py"))]
SERVICES = sorted((ROOT / "services").glob("*.py"))
ERRORS = {name for name in vars(errors) if name[0].isupper()}


def codes_of(path: Path, raisers: set[str]) -> set[str]:
    """The string literals that stand where a code stands: first in a raiser, or next to it in a ``partial``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[1:2] if called == "partial" else node.args[:1] if called in raisers else []
            for argument in first:
                branches = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
                found |= {each.value for each in branches if isinstance(each, ast.Constant)}
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("code", "default_code"):
            branches = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
            found |= {each.value for each in branches if isinstance(each, ast.Constant)}
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "default_code" and node.value:
            found |= {node.value.value} if isinstance(node.value, ast.Constant) else set()
    return {str(code) for code in found}


registry.platforms()  # which teaches the words of their codes
ALL_CODES = set().union(
    *(codes_of(path, ERRORS | {"CannotTell", "unusable", "Texts", "kind"}) for path in KIT),
    *(codes_of(path, ERRORS) for path in SERVICES),
)


# Networks on Meta's Graph API share rows, whose codes get the platform's name in front.
GRAPH_CODES = {code.partition(".")[2] for code in shared_words("x")}


def test_the_codes_that_are_shared_have_rows() -> None:
    rows = shared_rows("x").values()
    raised = {row if isinstance(row, str) else row.code if isinstance(row, Throttle) else row().code for row in rows}
    assert {f"x.{code}" for code in GRAPH_CODES} == {code for code in raised if code.startswith("x.")}


def test_the_codes_are_found_in_the_sources() -> None:
    assert {
        "address_refused",
        "answer_too_large",
        "bluesky.blob_gone",
        "bluesky.other_record",
        "connection_lost",
        "no_read_back",
        "rate_limited",
        "telegram.album_unknown",
        "telegram.kicked",
        "telegram.not_a_member",
        "outcome_unknown",
    } <= ALL_CODES


def test_every_code_has_words() -> None:
    assert not ALL_CODES - set(WORDS)


def test_no_words_without_a_code() -> None:
    """Every code is written somewhere else than as the key of its words."""
    written: set[str] = set()
    for path in [*KIT, *SERVICES, *sorted((ROOT / "jobs").glob("*.py"))]:
        tree = ast.parse(path.read_text())
        keys = {
            id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys if _is_words(node)
        }
        written |= {
            str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in keys
        }
    shared = {f"{name}.{code}" for name in registry.platforms() for code in GRAPH_CODES if f"{name}.{code}" in WORDS}
    assert not set(WORDS) - written - shared


def _is_words(node: ast.Dict) -> bool:
    return any(isinstance(value, ast.Call) and getattr(value.func, "id", "") == "Words" for value in node.values)


@pytest.mark.parametrize("code", sorted(WORDS))
def test_words_are_whole_sentences(code: str) -> None:
    words = WORDS[code]
    fields = [field for _, field, _, _ in string.Formatter().parse(words.sentence) if field]
    said = sentence(code, dict.fromkeys(fields, "This."), "Bluesky")
    assert said[0].isupper()
    assert said.endswith(".")
    assert next_step(code).endswith(".")
    assert "{" not in said


def test_a_refused_address_names_the_setting_that_would_allow_it() -> None:
    assert "SOCIALQ_ALLOW_PRIVATE_NETWORKS=true" in next_step("address_refused")
    assert "10.0.0.7" in sentence("address_refused", {"host": "pds.example", "address": "10.0.0.7"}, "Bluesky")


def test_a_full_window_is_said_in_its_own_unit() -> None:
    said = sentence("window_full", {"window": window_words(Window(20, 60))}, "Telegram")
    assert said == "Telegram takes only so many posts, 20 in 1 min, and that many are out."


def test_missing_parameters_and_unknown_codes_still_make_sentences() -> None:
    assert sentence("dns_failed", {}, "Bluesky") == "The server the server was not found; nothing was sent."
    assert sentence("new{thing}", {"a": 1}, "Bluesky") == "Bluesky reported “new{thing}”."
    assert next_step("new{thing}")
