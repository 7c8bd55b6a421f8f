"""The few statements that every job runs, as SQL whose text is made once: the ORM would compile them for each job.

Owns how rows are written and read fast, on both databases. Knows no states and decides nothing: what may be written is
the business of ``transitions.py``, what is read that of ``claims.py``. Errors are Django's database errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, TypeVar

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from queue_app.database import alias, connection, run, tell

Row = TypeVar("Row", bound=Model)
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]
Converters = tuple[tuple[int, Convert], ...]


def update(model: type[Model], where: Values, values: Values) -> int:
    """Set ``values`` on the rows of ``model`` whose columns equal ``where`` (``None``: is null); return how many."""
    queue = connection()
    count: int = run(*_updating(queue, model, where, values)).rowcount
    return count


def update_unseen(model: type[Model], where: Values, values: Values) -> None:
    """Do as ``update`` does where nobody needs to know how many rows there were."""
    queue = connection()
    tell(*_updating(queue, model, where, values))


def insert(model: type[Model], *rows: Values) -> None:
    """Insert ``rows``, all with the same columns, in one statement."""
    queue = connection()
    sql, converters = _insert_sql(queue.alias, model, tuple(rows[0]), len(rows))
    tell(sql, _converted([value for row in rows for value in row.values()], converters))


def insert_returning(model: type[Model], *rows: Values) -> list[int]:
    """Insert ``rows``, all with the same columns, in one statement; return their ids in order."""
    queue = connection()
    sql, converters = _insert_sql(queue.alias, model, tuple(rows[0]), len(rows))
    given = _converted([value for row in rows for value in row.values()], converters)
    return [identifier for (identifier,) in run(f"{sql} RETURNING id", given).fetchall()]


def fetch(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    found: list[tuple[Any, ...]] = run(sql, params).fetchall()
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
    return "%s" if connection().vendor == "postgresql" else "?"


def literal(text: str) -> str:
    """Return ``text`` as a literal for the text of a statement. For names from code; values go in parameters."""
    quoted_text = "'{}'".format(text.replace("'", "''"))
    return quoted_text.replace("%", "%%") if placeholder() == "%s" else quoted_text


def quoted(name: str | None) -> str:
    """Return the name of a table or column for SQL; the stubs think that a field might have none."""
    return connection().ops.quote_name(name or "")


def _converted(given: list[Any], converters: Converters) -> list[Any]:
    for position, convert in converters:
        if given[position] is not None:
            given[position] = convert(given[position])
    return given


def _updating(queue: BaseDatabaseWrapper, model: type[Model], where: Values, values: Values) -> tuple[str, list[Any]]:
    conditions = tuple([(name, value is None) for name, value in where.items()])
    sql, converters = _update_sql(queue.alias, model, tuple(values), conditions)
    given = [*values.values(), *[value for value in where.values() if value is not None]]
    return sql, _converted(given, converters)


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
    queue = connections[using]
    if isinstance(field, models.DateTimeField) and _keeps_utc_text(queue):
        return _utc_text
    if isinstance(field, models.DateTimeField | models.JSONField):
        return lambda value: field.get_db_prep_save(value, queue)
    return None


def _utc_text(moment: datetime) -> str:
    """Return an aware time as SQLite stores it: UTC, as Django writes it."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return str((moment if moment.tzinfo is UTC else moment.astimezone(UTC)).replace(tzinfo=None))


def _utc_moment(value: str | datetime) -> datetime:
    """Return a time that SQLite keeps; Django has its driver read those of columns, but not those of expressions."""
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).replace(tzinfo=UTC)


def _keeps_utc_text(queue: BaseDatabaseWrapper) -> bool:
    """Say whether times are kept as text in UTC: on SQLite, unless the host's DATABASES names a TIME_ZONE."""
    return queue.vendor == "sqlite" and queue.timezone_name == "UTC"


@lru_cache(maxsize=16)
def _reader(using: str, model: type[Model]) -> tuple[tuple[str, ...], Converters]:
    """Return the attributes of ``model``, and what turns a database's value into Python's, by position."""
    fields = model._meta.concrete_fields
    found = [(position, _from_database(using, field)) for position, field in enumerate(fields)]
    return tuple(field.attname for field in fields), tuple((n, convert) for n, convert in found if convert is not None)


@lru_cache(maxsize=128)
def _from_database(using: str, field: Field[Any, Any]) -> Convert | None:
    queue = connections[using]
    if isinstance(field, models.DateTimeField) and _keeps_utc_text(queue):
        return _utc_moment
    if isinstance(field, models.JSONField):
        return partial(json.loads, cls=field.decoder)
    column = field.get_col(field.model._meta.db_table)
    steps = [*queue.ops.get_db_converters(column), *column.get_db_converters(queue)]
    if not steps:
        return None

    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value, column, queue)
        return value

    return convert


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.get_field(name)
    if not isinstance(field, Field):
        raise TypeError(f"{model.__name__}.{name} is no column")
    return field
