"""The image and compose.yaml, as far as they can be judged without an engine that runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from posts import conf as posts_conf
from posts.management.commands.serve import PAGE_THREADS
from queue_app import conf
from socialq_site import environment
from tests.site import ROOT

pytestmark = pytest.mark.one_database

DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENTRYPOINT = ROOT / "deploy/entrypoint"
DEPLOYMENT = (ROOT / "docs/deployment.md").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SITE_SERVICES = ("migrate", "web", "worker")
# What the entry point reads, beside the settings.
OWN = {"HOST", "PORT", "WEB_WORKERS"}


def known_names() -> set[str]:
    """Return every name of the environment that the site reads."""
    tables = {
        setting.env or environment.PREFIX + name: setting
        for table in (conf.SETTINGS, posts_conf.SETTINGS)
        for name, setting in table.items()
    }
    example = set(re.findall(r"^#?([A-Z][A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    return {*tables, *example, *(name + environment.FILE for name in environment.SECRETS), *OWN}


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their words, on one line each."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def last(word: str) -> str:
    return [rest for name, rest in instructions() if name == word][-1]


def test_the_image_runs_as_nobody_in_particular_and_from_a_pinned_base() -> None:
    assert last("USER") == "10001:10001"
    names = [name for name, _rest in instructions()]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("RUN", "COPY"))
    assert re.fullmatch(r"PYTHON=python:3\.13-slim-\w+", instructions()[0][1])
    assert {rest.split()[0] for name, rest in instructions() if name == "FROM"} == {"${PYTHON}"}


def test_the_image_has_what_it_copies_and_no_more_than_the_site_needs() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [rest.split()[0] for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / source).exists() for source in copied)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages <= set(copied)


def test_the_image_can_back_up_the_database_beside_it() -> None:
    (release,) = re.findall(r"-slim-(\w+)", instructions()[0][1])
    client = {"bookworm": 15, "trixie": 17}[release]  # what each Debian calls postgresql-client
    (server,) = re.findall(r"^postgres:(\d+)", COMPOSE["services"]["database"]["image"])
    final = instructions()[max(place for place, (name, _rest) in enumerate(instructions()) if name == "FROM") :]
    assert [rest for name, rest in final if name == "RUN" and " postgresql-client " in rest]
    assert client >= int(server)
    backup = next(line for line in DEPLOYMENT.splitlines() if "manage backup" in line)
    assert "docker compose run --rm --volume" in backup


def test_more_packages_need_no_hashes() -> None:
    (line,) = [rest for name, rest in instructions() if name == "RUN" and "${MORE_PACKAGES};" in rest]
    constraints = line.partition("--constraint ")[2].split()[0]
    assert f"pip freeze > {constraints}" in line  # pip asks for a hash of everything once a constraint has one


def test_pages_have_threads_of_their_own_however_many_programs_listen() -> None:
    found = re.search(r'--threads "\$\(\((\d+) \+ \$\{SOCIALQ_MAX_LISTENERS:-(\d+)\}\)\)"', ENTRYPOINT.read_text())
    assert found is not None
    assert (int(found[1]), int(found[2])) == (PAGE_THREADS, conf.SETTINGS["MAX_LISTENERS"].default)


def test_no_secret_can_come_into_a_layer() -> None:
    said = [rest for name, rest in instructions() if name in ("ARG", "ENV")]
    assert not [words for words in said if re.search(r"SECRET|PASSWORD|TOKEN|DATABASE_URL|_KEYS", words)]
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"


def test_the_image_is_asked_for_its_health_and_ended_by_the_signal_that_the_site_knows() -> None:
    assert "/health" in last("HEALTHCHECK")
    assert last("STOPSIGNAL") == "SIGTERM"
    assert last("ENTRYPOINT") == '["/app/deploy/entrypoint"]'
    assert ENTRYPOINT.stat().st_mode & 0o111 == 0o111
    assert subprocess.run(["sh", "-n", ENTRYPOINT], check=False).returncode == 0


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_is_shut_in_and_comes_back(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] in ("unless-stopped", "on-failure:3")
    assert not service["image"].endswith(":latest")
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    assert {volume.partition(":")[0] for volume in service["volumes"]} <= {*COMPOSE["volumes"], "/tmp"}
    assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
    assert "healthcheck" in service or name == "web"  # the image's own


def test_services_run_what_there_is_with_settings_that_there_are() -> None:
    environments = [COMPOSE["services"][name]["environment"] for name in SITE_SERVICES]
    given = re.findall(r"^#?([A-Z][A-Z_0-9]+)=", (ROOT / "deploy/compose.env.example").read_text(), re.MULTILINE)
    assert {*given, *(name for each in environments for name in each)} <= known_names()
    assert COMPOSE["services"]["migrate"]["command"] == ["migrate"]
    what, *options = COMPOSE["services"]["worker"]["command"]
    assert what == "worker"
    assert load_command_class(get_commands()["workers"], "workers").create_parser("", "workers").parse_args(options)


@pytest.mark.parametrize("name", SITE_SERVICES)
def test_the_largest_upload_has_room_on_its_way(name: str) -> None:
    """It is gathered below /tmp, which in memory would have to be small."""
    assert "/tmp" in COMPOSE["services"][name]["volumes"]
    assert "tmpfs" not in COMPOSE["services"][name]


def test_workers_have_longer_to_stop_than_their_jobs() -> None:
    grace = int(COMPOSE["services"]["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace >= conf.SETTINGS["STOP_GRACE_SECONDS"].default + 10


def test_only_the_proxy_of_this_machine_reaches_the_site_and_nobody_the_database() -> None:
    assert COMPOSE["services"]["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in COMPOSE["services"]["database"]


def test_secrets_are_made_once_and_fit_together(tmp_path: Path) -> None:
    make = [sys.executable, "-I", ROOT / "deploy/make_secrets.py", tmp_path / "secrets"]
    first = subprocess.run(make, capture_output=True, text=True, check=True, umask=0o077).stdout
    files = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == set(files)
    assert not [name for name, value in files.items() if value in first]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o644}
    database = environment.database(files["database_url"], ROOT)
    assert (database["HOST"], database["PASSWORD"]) == ("database", files["database_password"])
    second = subprocess.run(make, capture_output=True, text=True, check=True).stdout
    assert "All were there." in second
    assert files == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}


def test_what_holds_secrets_is_never_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    for name in ("/secrets/", "/deploy/compose.env"):
        assert any(fnmatch(name, line) for line in ignored)
