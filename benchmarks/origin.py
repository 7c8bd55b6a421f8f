"""Where figures come from: the commit and the machine that are told beside them."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Mapping
from typing import Any

from benchmarks.queues import ROOT
from tests.postgres import binaries


def commit() -> str:
    """Return the commit that is checked out, and whether something in it was changed."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"


def machine() -> dict[str, Any]:
    """Return what of the machine decides the figures."""
    folder = binaries()
    postgres = subprocess.check_output([folder / "postgres", "--version"], text=True).split()[2] if folder else "none"
    return {
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": postgres,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def told(result: Mapping[str, Any]) -> str:
    """Return in words when, at which commit and on what a stored result was measured."""
    on = result["machine"]
    return (
        f"at commit {result['commit']}, {result['measured_at'][:10]}, on {on['cores']} cores, Python {on['python']}, "
        f"SQLite {on['sqlite']}, PostgreSQL {on['postgresql']}, {on['system']}"
    )
