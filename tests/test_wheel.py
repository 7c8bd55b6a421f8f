"""The wheel in somebody else's site: built, installed, and publishing to the outbox without ``socialq_site``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host import HostSite
from tests.site import ROOT

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("clusters")]

SETTINGS = """
INSTALLED_APPS = ["queue_app", "posts", "django_q", "django_htmx", *INSTALLED_APPS]
Q_CLUSTER = {"name": "host", "orm": "default", "timeout": 300, "retry": 360}
"""
URLS = """
from django.urls import include
urlpatterns.append(path("", include("posts.urls")))
"""


@pytest.fixture
def host(tmp_path: Path, packages: Path) -> Iterator[HostSite]:
    """A new project with the two apps added, migrated."""
    directory = tmp_path / "project"
    directory.mkdir()
    subprocess.run([sys.executable, "-m", "django", "startproject", "host", directory], check=True)
    with (directory / "host" / "settings.py").open("a") as settings:
        settings.write(SETTINGS)
    with (directory / "host" / "urls.py").open("a") as urls:
        urls.write(URLS)
    site = HostSite(directory, packages, "host")
    site.manage("migrate", "--no-input", "--verbosity=0")
    yield site
    site.close()


def test_the_wheel_holds_the_two_apps_and_their_templates(packages: Path) -> None:
    assert {path.name for path in packages.iterdir() if path.is_dir() and not path.name.endswith("-info")} == {
        "posts",
        "queue_app",
    }
    assert list((packages / "posts" / "templates").rglob("*.html"))
    assert list((packages / "queue_app" / "static").rglob("*.css"))


def test_a_new_site_with_the_wheel_publishes_to_the_outbox(host: HostSite) -> None:
    assert "no issues" in host.manage("check").stdout
    account = json.loads(host.manage("connect_account", "outbox", "--name", "Ada", "--json").stdout)["id"]
    host.spawn("qcluster")
    post = json.loads(host.manage("schedule_post", "--account", str(account), "--text", "Hello", "--json").stdout)["id"]

    def published() -> bool:
        return json.loads(host.manage("show_post", str(post), "--json").stdout)["status"] == "published"

    host.wait_until(published, 60)
    where = host.python("import queue_app, posts; print(queue_app.__file__, posts.__file__)")
    assert str(ROOT) not in where
