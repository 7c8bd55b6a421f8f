"""Somebody else's site: a new project that has the built wheel on its path, and nothing of this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.site import ROOT, Site


class HostSite(Site):
    """A project called ``project`` in ``directory``; ``packages`` is the folder that the wheel is installed in."""

    def __init__(self, directory: Path, packages: Path, project: str, database_url: str = "") -> None:
        super().__init__(directory, database_url or f"sqlite:///{directory / 'db.sqlite3'}")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        path = f"{directory}:{packages}"
        self.env = {**kept, "DJANGO_SETTINGS_MODULE": f"{project}.settings", "PYTHONPATH": path}
        self.manage_py = directory / "manage.py"

    def run(self, *arguments: str) -> None:
        """Run Python with ``arguments`` in the site's folder to its end."""
        subprocess.run([self.interpreter, *arguments], cwd=self.directory, env=self.env, check=True)


def build_wheel(folder: Path) -> Path:
    """Build the wheel of what is committed, below ``folder``; return its path."""
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, source], check=True)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", source]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("socialq-*.whl")
    return wheel


def install_wheel(folder: Path) -> Path:
    """Build the wheel and install it, without what it needs, below ``folder``; return where."""
    wheel = build_wheel(folder)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder / "packages", wheel]
    subprocess.run(install, check=True)
    return folder / "packages"


if __name__ == "__main__":
    # A folder of its own each time: an environment that is used again keeps what it had.
    sys.stdout.write(f"{build_wheel(Path(tempfile.mkdtemp(dir=sys.argv[1])))}\n")
