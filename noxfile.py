"""The matrix: every supported Python with every supported Django, each in an environment of its own (``make matrix``).

``embedding`` is a foreign site with the built wheel, ``tests`` is what of the suite runs in its own process, on SQLite.
Run nox from an environment with ``requirements-dev.txt``. Pythons are found on PATH.
"""

from __future__ import annotations

import sys

import nox

# Django 6 needs Python 3.12.
MATRIX = [("3.11", "5.2"), ("3.12", "5.2"), ("3.12", "6.1"), ("3.13", "5.2"), ("3.13", "6.1")]

# What newer Djangos say of the settings of this repository's own site, which is for 5.2.
OF_THE_SITE = ["The EMAIL_", "Using (name, address) pairs", "get_connection() is deprecated"]

nox.options.default_venv_backend = "uv|venv"
nox.options.error_on_missing_interpreters = True


@nox.session
@nox.parametrize("python,django", MATRIX)
def embedding(session: nox.Session, django: str) -> None:
    """Follow docs/embedding.md with the wheel and nothing of this repository."""
    said = session.run(sys.executable, "-m", "tests.host", session.create_tmp(), external=True, silent=True)
    wheel = str(said).splitlines()[-1]
    session.install(wheel, f"django~={django}.0", "redis")
    python = session.virtualenv.bin + "/python"
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/embedding", *session.posargs]
    session.run(*pytest, external=True, env={"EMBEDDING_PYTHON": python})


@nox.session
@nox.parametrize("python,django", MATRIX)
def tests(session: nox.Session, django: str) -> None:
    """Run the tests of both apps that start no process."""
    session.install("--requirement", "requirements-dev.txt")
    session.install(f"django~={django}.0")
    of_the_site = [option for words in OF_THE_SITE for option in ("-W", f"ignore:{words}")] if django != "5.2" else []
    chosen = session.posargs or ["tests/queue_app", "tests/posts"]
    session.run("python", "-m", "pytest", "--in-process", *of_the_site, *chosen)
