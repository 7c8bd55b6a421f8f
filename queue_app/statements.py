"""The few statements that every job runs, as SQL whose text is made once: the ORM would compile them for each job.

Owns how rows are written and read fast, on both databases. Knows no states and decides nothing: what may be written is
the business of ``transitions.py``, what is read that of ``claims.py``. Errors are Django's database errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connections
from django.db.models import Field, Model

from queue_app.database import alias

Row = TypeVar("Row", bound=Model)
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]


def update(model: type[Model], where: Values, values: Values) -> int:
    """Set ``values`` on the rows of ``model`` whose columns equal ``where`` (``None``: is null); return how many."""
    conditions = tuple((name, value is None) for name, value in where.items())
    sql, fields = _update_sql(model, tuple(values), conditions)
    given = [*values.values(), *(value for value in where.values() if value is not None)]
    with _cursor() as cursor:
        cursor.execute(sql, _prepared(fields, given))
        count: int = cursor.rowcount
    return count


def insert(model: type[Model], *rows: Values) -> list[int]:
    """Insert ``rows``, all with the same columns, in one statement; return their ids in order."""
    sql, fields = _insert_sql(model, tuple(rows[0]), len(rows))
    given = [value for row in rows for value in row.values()]
    with _cursor() as cursor:
        cursor.execute(sql, _prepared(fields * len(rows), given))
        return [identifier for (identifier,) in cursor.fetchall()]


def fetch(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a query that is asked again and again; PostgreSQL keeps its plan for the connection."""
    with _cursor() as cursor:
        if connections[alias()].vendor == "postgresql":
            cursor.execute(sql, params, prepare=True)
        else:
            cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def columns(model: type[Model], table: str) -> str:
    """Return every column of ``model`` as a select list of ``table``, in the order in which ``instance`` reads them."""
    return ", ".join(f"{table}.{_quoted(field.column)}" for field in model._meta.concrete_fields)


def instance(model: type[Row], values: Sequence[Any]) -> Row:
    """Return the object whose ``columns`` are ``values``."""
    names, converters = _reader(alias(), model)
    read = list(values)
    for position, convert in converters:
        read[position] = convert(read[position])
    return model.from_db(alias(), names, read)


def read(field: Field[Any, Any], value: Any) -> Any:
    """Return a database's ``value`` of one column as Python's."""
    convert = _converter(alias(), field)
    return value if convert is None else convert(value)


def literal(text: str) -> str:
    """Return ``text`` as a literal of SQL with ``%s`` placeholders. For names from code; values go in parameters."""
    return "'{}'".format(text.replace("'", "''").replace("%", "%%"))


@contextmanager
def _cursor() -> Iterator[Any]:
    connection = connections[alias()]
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            yield cursor
        return
    connection.ensure_connection()
    # Parameters travel beside the text, so that plans can be kept; Django's own cursors put them into it.
    with connection.wrap_database_errors, _plain_cursor()(connection.connection) as cursor:
        yield cursor


@lru_cache
def _plain_cursor() -> Callable[[Any], Any]:
    from psycopg import Cursor  # noqa: PLC0415 -- where PostgreSQL is used

    return Cursor


def _prepared(fields: Sequence[Field[Any, Any]], given: Sequence[Any]) -> list[Any]:
    connection = connections[alias()]
    return [field.get_db_prep_save(value, connection) for field, value in zip(fields, given, strict=True)]


@lru_cache(maxsize=256)
def _update_sql(
    model: type[Model], names: tuple[str, ...], conditions: tuple[tuple[str, bool], ...]
) -> tuple[str, tuple[Field[Any, Any], ...]]:
    settings = [_field(model, name) for name in names]
    tests = [(_field(model, name), is_null) for name, is_null in conditions]
    assigned = ", ".join(f"{_quoted(field.column)} = %s" for field in settings)
    tested = " AND ".join(f"{_quoted(field.column)} {'IS NULL' if is_null else '= %s'}" for field, is_null in tests)
    sql = f"UPDATE {_quoted(model._meta.db_table)} SET {assigned} WHERE {tested}"  # noqa: S608 -- names of columns
    return sql, (*settings, *(field for field, is_null in tests if not is_null))


@lru_cache(maxsize=64)
def _insert_sql(model: type[Model], names: tuple[str, ...], rows: int) -> tuple[str, tuple[Field[Any, Any], ...]]:
    fields = tuple(_field(model, name) for name in names)
    listed = ", ".join(_quoted(field.column) for field in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    table = _quoted(model._meta.db_table)
    sql = f"INSERT INTO {table} ({listed}) VALUES {', '.join([row] * rows)} RETURNING id"  # noqa: S608 -- names
    return sql, fields


@lru_cache(maxsize=16)
def _reader(using: str, model: type[Model]) -> tuple[tuple[str, ...], tuple[tuple[int, Convert], ...]]:
    """Return the attributes of ``model``, and what turns a database's value into Python's, by position."""
    fields = model._meta.concrete_fields
    found = [(position, _converter(using, field)) for position, field in enumerate(fields)]
    return tuple(field.attname for field in fields), tuple((n, convert) for n, convert in found if convert is not None)


@lru_cache(maxsize=128)
def _converter(using: str, field: Field[Any, Any]) -> Convert | None:
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


def _quoted(name: str | None) -> str:
    """Return the name of a table or column for SQL; the stubs think that a field might have none."""
    return connections[alias()].ops.quote_name(name or "")
