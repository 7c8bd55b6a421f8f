"""An environment with the wheel, what it needs and what the host has for itself: no extra of the wheel is installed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def make_environment(folder: Path, packages: Path, *own: str) -> Path:
    """Make it below ``folder``, without a network: the wheel in ``packages``, the rest linked from where the tests run.

    ``own`` names what the host has for itself. Return its Python.
    """
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (site_packages,) = venv.glob("lib/python*/site-packages")
    (wheel,) = distributions(path=[str(packages)])
    for top in packages.iterdir():
        (site_packages / top.name).symlink_to(top)
    for needed in _needed_by([*(wheel.requires or ()), *own], {}).values():
        tops = {file.parts[0] for file in needed.files or () if file.parts[0] not in ("..", "__pycache__")}
        for name in tops:
            (site_packages / name).symlink_to(str(needed.locate_file(name)))
    return venv / "bin" / "python"


def _needed_by(requirements: Iterable[str], found: dict[str, Distribution]) -> dict[str, Distribution]:
    for line in requirements:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(name)
        _needed_by(found[name].requires or (), found)
    return found
