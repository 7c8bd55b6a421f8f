"""Each numbered expectation of people is one browser test, found by its number: ``test_11_…``."""

from __future__ import annotations

import ast
import re

from tests.site import ROOT

EXPECTATIONS = 60


def test_each_number_is_the_number_of_exactly_one_browser_test() -> None:
    names = [
        node.name
        for path in (ROOT / "tests" / "browser").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    numbers = [int(found[1]) for name in names if (found := re.match(r"test_(\d+)_", name))]
    assert sorted(numbers) == list(range(1, EXPECTATIONS + 1))
