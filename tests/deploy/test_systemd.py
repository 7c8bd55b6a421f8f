"""The units of systemd: systemd itself reads them, and they give a cluster the time that it needs to stop."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from queue_app import conf
from tests.site import ROOT

pytestmark = pytest.mark.one_database

FOLDER = ROOT / "deploy/systemd"
SERVICES = sorted(FOLDER.glob("*.service"))


def service(path: Path) -> dict[str, str]:
    """Return the section of a unit that says how it runs; of settings that are there twice, the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
    parser.read(path)
    return dict(parser["Service"])


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_is_shut_in_and_runs_the_entry_point(path: Path) -> None:
    said = service(path)
    assert said["User"] == "socialq"
    assert "TMPDIR=/var/tmp" in said["Environment"].split()  # /tmp may be memory, and uploads are gathered there
    assert said["NoNewPrivileges"] == said["PrivateTmp"] == said["PrivateDevices"] == "yes"
    assert (said["ProtectSystem"], said["CapabilityBoundingSet"]) == ("strict", "")
    command = said["ExecStart"].removeprefix("/opt/socialq/").split()
    assert (ROOT / command[0]).is_file()
    assert command[1] in ("web", "worker", "migrate")


def test_a_cluster_gets_the_signal_alone_and_the_time_to_stop() -> None:
    said = service(FOLDER / "socialq-worker@.service")
    assert (said["KillSignal"], said["KillMode"]) == ("SIGTERM", "mixed")
    assert int(said["TimeoutStopSec"]) >= conf.SETTINGS["STOP_GRACE_SECONDS"].default + 10


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    for path in FOLDER.iterdir():
        text = path.read_text().replace("/opt/socialq", str(ROOT))
        (tmp_path / path.name.replace("@.", "@default.")).write_text(text)
    units = sorted(tmp_path.iterdir())
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "socialq" in line]
    assert (done.returncode, ours) == (0, [])


def test_commands_by_hand_have_the_settings_and_the_user_of_the_units() -> None:
    page = (ROOT / "docs/deployment.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith("sudo systemd-run ")]
    said = service(FOLDER / "socialq-web.service")
    assert f"--uid={said['User']} --gid={said['Group']} " in line
    assert f"--property=EnvironmentFile={said['EnvironmentFile']} " in line
    set_there = dict(word.split("=", 1) for word in said["Environment"].split())
    for name in ("VAR_DIR", "PATH"):
        assert f"--setenv={name}={set_there[name]} " in line
    assert f" {said['ExecStart'].split()[0]} manage createsuperuser" in line
