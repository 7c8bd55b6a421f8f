from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import media
from benchmarks.media import OURS, PLAIN, figures, table
from tests.posts.media.pictures import decoded, encoded, noise, quarters


def test_the_shares_are_of_the_same_round_and_the_peak_is_the_highest() -> None:
    found = figures({OURS: [(4.0, 80.0), (2.0, 90.0), (6.0, 70.0)], PLAIN: [(8.0, 100.0), (2.0, 120.0), (8.0, 110.0)]})
    assert (found["ours_a_second"], found["plain_a_second"]) == (4.0, 8.0)
    assert (found["ours_peak_mb"], found["plain_peak_mb"]) == (90.0, 120.0)
    assert found["speed_share"] == pytest.approx(0.75)
    assert found["memory_share"] == pytest.approx(0.75)


def test_both_make_the_same_picture(tmp_path: Path) -> None:
    sources = {"a.jpg": encoded(noise(2500, 40), "JPEG"), "b.png": encoded(quarters(), "PNG")}
    for name, source in sources.items():
        (tmp_path / name).write_bytes(source)
    paths = [str(tmp_path / name) for name in sources]
    for kind in (OURS, PLAIN):
        speed, memory = media.measure(kind, paths)
        assert speed > 0
        assert 5 < memory < 1000
    for name in sources:
        ours, plain = (decoded((tmp_path / f"{name}.{kind}").read_bytes()) for kind in (OURS, PLAIN))
        assert (ours.format, ours.width) == (plain.format, plain.width)
        assert abs(ours.height - plain.height) <= 1


def test_a_first_look_is_printed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(media, "SOURCES", {"a drawing": (".png", lambda: encoded(quarters(), "PNG"))})
    monkeypatch.setattr(sys, "argv", ["media", "--quick", "--json", str(tmp_path / "media.json")])
    media.main()
    assert "a drawing" in capsys.readouterr().out
    result = json.loads((tmp_path / "media.json").read_text())
    (run,) = result["runs"]
    assert run["rendered_format"] == "image/png"
    assert run["speed_share"] > 0
    assert len(table(result)) == 2


def test_the_help_names_its_options() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.media", "--help"], capture_output=True, text=True, check=True
    )
    assert "--quick" in done.stdout
