"""The wheel in somebody else's site: built, installed, and publishing to the outbox without ``socialq_site``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import ROOT, Site

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("clusters")]

SETTINGS = """
INSTALLED_APPS = ["queue_app", "posts", "django_q", *INSTALLED_APPS]
Q_CLUSTER = {"name": "host", "orm": "default", "timeout": 300, "retry": 360}
"""
URLS = """
from django.urls import include
urlpatterns.append(path("", include("posts.urls")))
"""


class HostSite(Site):
    """A site made by ``django-admin startproject`` in ``directory``, with the wheel's packages on its path."""

    def __init__(self, directory: Path, packages: Path) -> None:
        super().__init__(directory, f"sqlite:///{directory / 'db.sqlite3'}")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {**kept, "DJANGO_SETTINGS_MODULE": "host.settings", "PYTHONPATH": f"{directory}:{packages}"}
        self.manage_py = directory / "manage.py"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it, without what it needs, into a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, source], check=True)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("socialq-*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder / "packages", wheel]
    subprocess.run(install, check=True)
    return folder / "packages"


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
    site = HostSite(directory, packages)
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
