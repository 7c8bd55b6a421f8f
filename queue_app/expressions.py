"""SQL expressions that the tables' definitions need."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Func


def unindexed(column: str) -> str:
    """Return SQL for a text column as an expression, so that no index of the column itself is entered for it.

    Indexes are found by this text: it stands in them.
    """
    return f"({column} || '')"


class Unindexed(Func):
    """``unindexed`` for the ORM."""

    template = unindexed("%(expressions)s")
    arity = 1
    output_field: CharField[Any, Any] = CharField()
