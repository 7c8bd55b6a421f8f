"""The pytest plugin: failures of the kit's checks are explained, and gathered by rule at the end of the run.

pytest loads it in every project that has SocialQ installed (entry point ``socialq``); where that is switched off, or
the package is only on the path, ``-p posts.publishing.testing.plugin`` does. Imports nothing of the kit itself, so
that a project without platforms pays nothing.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

ENTRY_POINT = "socialq"
PROPERTY = "socialq_rule"

CHECKS = ("ambiguity", "connecting", "data", "faults", "lookup", "publishing", "resume", "secrets", "threads")

# Before anything imports them, so that a failing assertion shows what it compared.
pytest.register_assert_rewrite(*(f"posts.publishing.testing.{name}" for name in (*CHECKS, "base", "stand_ins")))


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Keep the entry point from loading this module again if ``-p`` has done it under its own name."""
    if not pluginmanager.has_plugin(ENTRY_POINT):
        pluginmanager.set_blocked(ENTRY_POINT)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note the rule of a check in its report, where xdist and JUnit XML keep it."""
    rule = getattr(getattr(item, "function", None), PROPERTY, None)
    if rule is not None:
        item.user_properties.append((PROPERTY, rule))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List the broken rules with the checks that found it out."""
    broken: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == PROPERTY:
                broken[str(value)].append(report.nodeid)
    if not broken:
        return
    from posts.publishing.testing.rules import GUIDE, RULES

    terminalreporter.section(f"rules of SocialQ's kit that are broken; see {GUIDE}")
    for rule, checks in sorted(broken.items()):
        terminalreporter.line(f"{rule}: {RULES[rule]}")
        for check in checks:
            terminalreporter.line(f"    {check}")
