"""X's own test vectors for lengths and addresses. They are not part of this repository: PLATFORM_CONTRACTS names a
folder with ``twitter-text/validate.yml`` and ``extract.yml`` (github.com/twitter/twitter-text, conformance)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from posts.text.counting import count
from posts.text.web_addresses import normalised, web_addresses


@pytest.fixture(scope="module")
def conformance() -> Path:
    folder = os.environ.get("PLATFORM_CONTRACTS")
    if not folder:
        pytest.skip("PLATFORM_CONTRACTS is not set; lengths were not held against X's own vectors")
    return Path(folder) / "twitter-text"


def cases(file: Path, *names: str) -> list[dict[str, Any]]:
    tests = yaml.safe_load(file.read_text())["tests"]
    return [case for name in names for case in tests[name]]


def test_weighted_lengths_are_those_of_x(conformance: Path) -> None:
    names = ("WeightedTweetsWithDiscountedEmojiCounterTest", "UnicodeDirectionalMarkerCounterTest")
    found = cases(conformance / "validate.yml", *names)
    assert len(found) > 20
    for case in found:
        assert count(case["text"], "x_weighted") == case["expected"]["weightedLength"], case["description"]


def test_addresses_are_found_where_x_finds_them(conformance: Path) -> None:
    for case in cases(conformance / "extract.yml", "urls", "tco_urls_with_params"):
        found = [case["text"][address.start : address.end] for address in web_addresses(case["text"])]
        assert found == (case["expected"] or []), case["description"]
    for case in cases(conformance / "extract.yml", "urls_with_indices", "urls_with_directional_markers"):
        places = [[address.start, address.end] for address in web_addresses(case["text"])]
        assert places == [each["indices"] for each in case["expected"]], case["description"]


def test_the_weights_are_those_of_x(conformance: Path) -> None:
    config = json.loads((conformance / "v3.json").read_text())
    light = [(each["start"], each["end"]) for each in config["ranges"]]
    assert {each["weight"] for each in config["ranges"]} == {config["scale"]} == {config["defaultWeight"] // 2}
    for sign in map(chr, (*range(0xD800), *range(0xE000, 0x10000))):
        if normalised(sign) == sign and sign not in "©®":  # which are emoji
            is_light = any(start <= ord(sign) <= end for start, end in light)
            assert count(sign, "x_weighted") == (1 if is_light else 2), hex(ord(sign))
