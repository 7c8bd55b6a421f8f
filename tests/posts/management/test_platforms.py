"""The platforms command, and the table in the docs that is made by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from posts.publishing import registry
from posts.selectors.platforms import COLUMNS, matrix

PAGE = Path(__file__).parents[3] / "docs" / "platforms.md"
BEGIN, END = "<!-- begin: manage.py platforms --markdown -->\n", "\n<!-- end -->"


def test_every_platform_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("platforms")
    said = capsys.readouterr().out
    for platform in registry.platforms().values():
        assert f"{platform.label} ({platform.name})" in said
        for option in platform.options:
            assert option.name in said


def test_the_facts_are_there_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("platforms", json=True)
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == set(registry.platforms())
    assert set(COLUMNS) <= set(facts["bluesky"])


def test_a_site_hears_what_it_lacks(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["x", "nowhere", "outbox"], "PLATFORMS": {}}
    with pytest.raises(CommandError, match="2 things to set"):
        call_command("platforms", check=True)
    said = capsys.readouterr().out
    assert "SOCIALQ_X_CLIENT_ID" in said
    assert "nowhere is enabled, but this site knows no such platform" in said
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["outbox", "bluesky"]}
    call_command("platforms", check=True)
    assert "can be used" in capsys.readouterr().out


def test_the_table_in_the_docs_is_what_the_code_says() -> None:
    text = PAGE.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    assert text[begin:end] == matrix(), "write it anew: manage.py platforms --markdown"
