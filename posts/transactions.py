"""Whether a database transaction is open: calls to networks, rendering and other slow work are refused inside one."""

from __future__ import annotations

from django.db import connections


def in_transaction() -> bool:
    """Say whether this thread has a transaction open on any database."""
    return any(connection.in_atomic_block for connection in connections.all(initialized_only=True))


def refuse_in_transaction(what: str) -> None:
    """Raise ``RuntimeError`` inside a transaction; ``what`` says what was about to happen there."""
    if in_transaction():
        raise RuntimeError(f"{what} inside a database transaction; do it before or after")
