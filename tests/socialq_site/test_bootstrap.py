from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from socialq_site import bootstrap, environment
from tests.site import ROOT


def secrets_of(folder: Path) -> dict[str, str]:
    return environment.load({}, folder / "secrets.env")


def test_secrets_are_complete_usable_and_the_owners_alone(tmp_path: Path) -> None:
    assert bootstrap.write_secrets(tmp_path / "var")
    values = secrets_of(tmp_path / "var")
    assert len(values["SECRET_KEY"]) >= 50
    Fernet(values["SOCIALQ_ENCRYPTION_KEYS"])
    assert (tmp_path / "var" / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secrets.env"]


def test_secrets_that_are_there_are_never_changed(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text("SECRET_KEY=mine\n")
    assert not bootstrap.write_secrets(tmp_path)
    assert secrets_of(tmp_path) == {"SECRET_KEY": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.env"]


def test_two_at_once_write_one_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_have_looked = threading.Barrier(2, timeout=20)
    exists = Path.exists

    def look_together(path: Path) -> bool:
        answer = exists(path)
        both_have_looked.wait()
        return answer

    monkeypatch.setattr(Path, "exists", look_together)
    written: list[bool] = []
    threads = [threading.Thread(target=lambda: written.append(bootstrap.write_secrets(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(written) == [False, True]
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.env"]


def test_the_command_prints_no_secret(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "socialq_site.bootstrap"],
        cwd=ROOT,
        env={"VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "secrets.env" in done.stdout
    for value in secrets_of(tmp_path).values():
        assert value not in done.stdout + done.stderr
