"""The few statements that every job runs, as SQL whose text is made once: the ORM would compile them for each job.

Owns how rows are written and read fast, on both databases. Knows no states and decides nothing: what may be written is
the business of ``transitions.py``, what is read that of ``claims.py``. Errors are Django's database errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from queue_app.database import alias

Row = TypeVar("Row", bound=Model)
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]
Converters = tuple[tuple[int, Convert], ...]


def update(model: type[Model], where: Values, values: Values) -> int:
    """Set ``values`` on the rows of ``model`` whose columns equal ``where`` (``None``: is null); return how many."""
    connection = connections[alias()]
    names = tuple([(name, value is None) for name, value in where.items()])
    sql, converters = _update_sql(connection.alias, model, tuple(values), names)
    given = [*values.values(), *[value for value in where.values() if value is not None]]
    count: int = _run(connection, sql, _converted(given, converters)).rowcount
    return count


def insert(model: type[Model], *rows: Values) -> None:
    """Insert ``rows``, all with the same columns, in one statement."""
    connection = connections[alias()]
    sql, converters = _insert_sql(connection.alias, model, tuple(rows[0]), len(rows))
    _run(connection, sql, _converted([value for row in rows for value in row.values()], converters))


def insert_returning(model: type[Model], *rows: Values) -> list[int]:
    """Insert ``rows``, all with the same columns, in one statement; return their ids in order."""
    connection = connections[alias()]
    sql, converters = _insert_sql(connection.alias, model, tuple(rows[0]), len(rows))
    given = _converted([value for row in rows for value in row.values()], converters)
    return [identifier for (identifier,) in _run(connection, f"{sql} RETURNING id", given).fetchall()]


def fetch(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a query that is asked again and again; PostgreSQL keeps its plan for the connection."""
    found: list[tuple[Any, ...]] = _run(connections[alias()], sql, params, keep_plan=True).fetchall()
    return found


def columns(model: type[Model], table: str) -> str:
    """Return every column of ``model`` as a select list of ``table``, in the order in which ``instance`` reads them."""
    return ", ".join(f"{table}.{quoted(field.column)}" for field in model._meta.concrete_fields)


def instance(model: type[Row], values: Sequence[Any]) -> Row:
    """Return the object whose ``columns`` are ``values``."""
    names, converters = _reader(alias(), model)
    read_values = list(values)
    for position, convert in converters:
        if read_values[position] is not None:
            read_values[position] = convert(read_values[position])
    return model.from_db(alias(), names, read_values)


def read(field: Field[Any, Any], value: Any) -> Any:
    """Return a database's ``value`` of one column as Python's."""
    convert = _from_database(alias(), field)
    return value if value is None or convert is None else convert(value)


def placeholder() -> str:
    """Return what stands for a parameter in the text of a statement."""
    return "%s" if connections[alias()].vendor == "postgresql" else "?"


def literal(text: str) -> str:
    """Return ``text`` as a literal for the text of a statement. For names from code; values go in parameters."""
    quoted_text = "'{}'".format(text.replace("'", "''"))
    return quoted_text.replace("%", "%%") if placeholder() == "%s" else quoted_text


def quoted(name: str | None) -> str:
    """Return the name of a table or column for SQL; the stubs think that a field might have none."""
    return connections[alias()].ops.quote_name(name or "")


def _run(connection: BaseDatabaseWrapper, sql: str, params: Sequence[Any], *, keep_plan: bool = False) -> Any:
    """Run one statement past Django's cursors: they rewrite its text, or put the parameters into it, every time."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        if connection.vendor != "postgresql":
            return connection.connection.execute(sql, params)
        cursor = _plain_cursor()(connection.connection)
        # Only where workers ask: a pooler between the web server and the database might not know kept plans.
        return cursor.execute(sql, params, prepare=True) if keep_plan else cursor.execute(sql, params)


@lru_cache
def _plain_cursor() -> Callable[[Any], Any]:
    from psycopg import Cursor  # noqa: PLC0415 -- where PostgreSQL is used

    return Cursor


def _converted(given: list[Any], converters: Converters) -> list[Any]:
    for position, convert in converters:
        if given[position] is not None:
            given[position] = convert(given[position])
    return given


@lru_cache(maxsize=256)
def _update_sql(
    using: str, model: type[Model], names: tuple[str, ...], where: tuple[tuple[str, bool], ...]
) -> tuple[str, Converters]:
    set_fields = [_field(model, name) for name in names]
    tests = [(_field(model, name), is_null) for name, is_null in where]
    mark = placeholder()
    assigned = ", ".join(f"{quoted(field.column)} = {mark}" for field in set_fields)
    tested = " AND ".join(f"{quoted(field.column)} {'IS NULL' if is_null else f'= {mark}'}" for field, is_null in tests)
    sql = f"UPDATE {quoted(model._meta.db_table)} SET {assigned} WHERE {tested}"  # noqa: S608 -- names of columns
    return sql, _writers(using, [*set_fields, *(field for field, is_null in tests if not is_null)])


@lru_cache(maxsize=64)
def _insert_sql(using: str, model: type[Model], names: tuple[str, ...], rows: int) -> tuple[str, Converters]:
    fields = [_field(model, name) for name in names]
    listed = ", ".join(quoted(field.column) for field in fields)
    row = f"({', '.join([placeholder()] * len(fields))})"
    table = quoted(model._meta.db_table)
    sql = f"INSERT INTO {table} ({listed}) VALUES {', '.join([row] * rows)}"  # noqa: S608 -- names of columns
    return sql, _writers(using, fields * rows)


def _writers(using: str, fields: Sequence[Field[Any, Any]]) -> Converters:
    found = [(position, _to_database(using, field)) for position, field in enumerate(fields)]
    return tuple((position, convert) for position, convert in found if convert is not None)


@lru_cache(maxsize=128)
def _to_database(using: str, field: Field[Any, Any]) -> Convert | None:
    """Return what turns Python's value of a column into the database's; ``None`` where they are the same."""
    connection = connections[using]
    if isinstance(field, models.CharField | models.TextField):
        return _plain_text
    if isinstance(field, models.DateTimeField) and connection.vendor == "sqlite":
        return _utc_text
    if isinstance(field, models.JSONField) and connection.vendor == "sqlite":
        return lambda value: json.dumps(value, cls=field.encoder)
    if isinstance(field, models.JSONField):
        return lambda value: field.get_db_prep_save(value, connection)
    return None


def _plain_text(value: Any) -> str:
    # A choice is a str of a class of its own, which drivers look at for long.
    return value if type(value) is str else str(value)


def _utc_text(moment: datetime) -> str:
    """Return an aware time as SQLite stores it: UTC, as Django writes it."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError(f"{moment} has no time zone")
    return str(moment.replace(tzinfo=None) - offset)


@lru_cache(maxsize=16)
def _reader(using: str, model: type[Model]) -> tuple[tuple[str, ...], Converters]:
    """Return the attributes of ``model``, and what turns a database's value into Python's, by position."""
    fields = model._meta.concrete_fields
    found = [(position, _from_database(using, field)) for position, field in enumerate(fields)]
    return tuple(field.attname for field in fields), tuple((n, convert) for n, convert in found if convert is not None)


@lru_cache(maxsize=128)
def _from_database(using: str, field: Field[Any, Any]) -> Convert | None:
    connection = connections[using]
    column = field.get_col(field.model._meta.db_table)
    steps = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
    if not steps:
        return None

    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value, column, connection)
        return value

    return convert


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.get_field(name)
    if not isinstance(field, Field):
        raise TypeError(f"{model.__name__}.{name} is no column")
    return field
