"""Makes the site's secrets on first run: ``python -m socialq_site.bootstrap``.

Owns ``var/secrets.env``. Never prints a secret and never changes a file that is there. Runs before there are settings.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from socialq_site.environment import SECRETS_FILE, var_dir


def write_secrets(folder: Path) -> bool:
    """Write new secrets to ``folder`` unless it has some; return whether it did. Two at once write one set.

    The file is complete and readable by its owner alone from the moment that it has its name.
    """
    file = folder / SECRETS_FILE
    if file.exists():
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=folder, prefix=".secrets-")  # mode 600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(
                "# Made on first run. Keep a copy apart from the database: no saved credential can be read without.\n"
                f"SECRET_KEY={secrets.token_urlsafe(50)}\n"
                f"SOCIALQ_ENCRYPTION_KEYS={Fernet.generate_key().decode()}\n"
            )
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, file)  # fails, unlike a rename, where the other one was first
    except FileExistsError:
        return False
    finally:
        Path(draft).unlink()
    return True


def main() -> None:
    """Write the secrets where the settings look for them."""
    folder = var_dir(os.environ)
    if write_secrets(folder):
        print(f"Made new secrets in {folder / SECRETS_FILE}; keep a copy in a safe place.")  # noqa: T201 -- a command


if __name__ == "__main__":
    main()
