"""SQL expressions that the tables' definitions need."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Func


class Unindexed(Func):
    """A text column as an expression, so that no index of the column itself is entered for it."""

    template = "(%(expressions)s || '')"
    arity = 1
    output_field: CharField[Any, Any] = CharField()
