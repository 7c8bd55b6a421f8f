"""SQL expressions that the tables' definitions and the figures of a day need."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, FloatField, Func, IntegerField
from django.db.models.sql.compiler import SQLCompiler


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


class HourNumber(Func):
    """The number of whole hours from 1970 to a moment. Django's own truncation calls Python for each row on SQLite."""

    template = "CAST((julianday(%(expressions)s) - 2440587.5) * 24 + 0.0000001 AS INTEGER)"
    arity = 1
    output_field: IntegerField[Any, Any] = IntegerField()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        """Return the expression for PostgreSQL."""
        return self.as_sql(
            compiler, connection, template="floor(extract(epoch from %(expressions)s) / 3600)::bigint", **context
        )


class SecondsBetween(Func):
    """The seconds from the second moment to the first, to the millisecond at least."""

    template = "((julianday(%(expressions)s)) * 86400.0)"
    arg_joiner = ") - julianday("
    arity = 2
    output_field: FloatField[Any, Any] = FloatField()

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        """Return the expression for PostgreSQL."""
        template = "extract(epoch from (%(expressions)s))::float8"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" - ", **context)
