"""Makes the secrets that compose.yaml gives to the containers: ``python3 deploy/make_secrets.py``. Needs Python alone.

Owns the folder ``secrets``. Never changes a file that is there, and prints no secret.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "secrets"


def make(folder: Path) -> list[str]:
    """Write what is missing; return the names of the files that were made.

    The folder is its owner's alone. The files in it can be read by all: a container's user, who is another, has to.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    made = []
    password = folder / "database_password"
    for name, value in (
        ("database_password", secrets.token_urlsafe(30)),
        ("secret_key", secrets.token_urlsafe(50)),
        ("encryption_keys", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()),
        ("metrics_token", secrets.token_urlsafe(30)),
    ):
        made += _write(folder / name, value)
    url = f"postgres://socialq:{password.read_text().strip()}@database:5432/socialq"
    return made + _write(folder / "database_url", url)


def _write(file: Path, value: str) -> list[str]:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as stream:
            os.fchmod(stream.fileno(), 0o644)  # whatever the umask of who makes it
            stream.write(value)
    except FileExistsError:
        return []
    return [file.name]


def main() -> None:
    """Make the secrets, and say which."""
    made = make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    print(f"Made: {', '.join(made)}." if made else "All were there.")  # noqa: T201 -- a command
    print("Keep a copy of secrets/ in a safe place, apart from the database.")  # noqa: T201 -- a command


if __name__ == "__main__":
    main()
