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

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model
from django.db.models.base import ModelState

from queue_app.arguments import Checked
from queue_app.database import WAKE_CHANNEL, alias, connection, run, tell
from queue_app.expressions import unindexed

Row = TypeVar("Row", bound=Model)
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]
Converters = tuple[tuple[int, Convert], ...]


def update(model: type[Model], where: Values, values: Values) -> int:
    """Set ``values`` on the rows of ``model`` whose columns equal ``where`` (``None``: is null); return how many."""
    count: int = run(*_updating(model, where, values)).rowcount
    return count


def update_text(model: type[Model], names: Sequence[str], where: Sequence[str]) -> str:
    """Return the text that sets the columns ``names`` where those of ``where`` are equal: its parameters, in order."""
    return _update_sql(alias(), model, tuple(names), tuple(where), ())[0]


def insert_text(model: type[Model], names: Sequence[str]) -> str:
    """Return the text that inserts one row with the columns ``names``: its parameters, in order."""
    return _insert_sql(alias(), model, tuple(names), 1)[0]


def update_unseen(model: type[Model], where: Values, values: Values, unchanged: Exception | None = None) -> None:
    """Do as ``update`` does where nobody needs to know how many rows there were; see ``tell`` for ``unchanged``."""
    tell(*_updating(model, where, values), unchanged)


def insert(model: type[Model], *rows: Values) -> None:
    """Insert ``rows``, all with the same columns, in one statement."""
    tell(*_inserting(model, rows))


def insert_returning(model: type[Model], *rows: Values) -> list[int]:
    """Insert ``rows``, all with the same columns, in one statement; return their ids in order."""
    sql, given = _inserting(model, rows)
    return [identifier for (identifier,) in run(f"{sql} RETURNING id", given).fetchall()]


def insert_both(
    first: type[Model], values: Values, second: type[Model], following: Values, *, link: str, wakes: str
) -> int:
    """Insert one row, and one that refers to it by its column ``link``; wake clusters that serve the queue ``wakes``.

    One statement; for PostgreSQL alone. Returns the first row's id.
    """
    sql, converters = _both_sql(alias(), first, tuple(values), second, tuple(following), link)
    given = _converted([*values.values(), *following.values()], converters)
    ((identifier, _woken),) = run(sql, [*given, WAKE_CHANNEL, wakes]).fetchall()
    return int(identifier)


def fetch(sql: str, params: Sequence[Any] | Mapping[str, Any], named: str = "") -> list[tuple[Any, ...]]:
    """Return the rows of a query; see ``run`` for what is ``named``."""
    found: list[tuple[Any, ...]] = run(sql, params, named).fetchall()
    return found


def columns(model: type[Model], table: str = "") -> str:
    """Return every column of ``model`` as a select list (of ``table``), in the order in which ``instance`` reads.

    On SQLite times come as expressions, of which its driver does not know that they are times: Django's way of reading
    them takes longer than ``instance`` does.
    """
    prefix = f"{table}." if table else ""
    bare = connection().vendor == "sqlite"

    def column(field: Field[Any, Any]) -> str:
        sign = "+" if bare and isinstance(field, models.DateTimeField) else ""
        return f"{sign}{prefix}{quoted(field.column)}"

    return ", ".join(map(column, model._meta.concrete_fields))


def instance(model: type[Row], values: Sequence[Any]) -> Row:
    """Return the object whose ``columns`` are ``values``."""
    using = alias()
    names, converters = _reader(using, model)
    read_values = _converted(list(values), converters)
    return assemble(model, dict(zip(names, read_values, strict=True)), using)


def assemble(model: type[Row], attributes: dict[str, Any], using: str | None = None) -> Row:
    """Return the object with ``attributes``, all that it has, at a tenth of what its constructor costs.

    Made in the way pickle makes objects. ``using`` is the database in which it is stored, if it is.
    """
    state = ModelState()
    state.adding, state.db = using is None, using
    row = model.__new__(model)
    row.__dict__ = {"_state": state, **attributes}
    return row


def inserting(model: type[Model], values: Mapping[str, str]) -> str:
    """Return the text that inserts ``values``, SQL by column, as one row."""
    return f"INSERT INTO {quoted(model._meta.db_table)} ({', '.join(values)}) SELECT {', '.join(values.values())}"


def read(field: Field[Any, Any], value: Any) -> Any:
    """Return a database's ``value`` of one column as Python's."""
    convert = _from_database(alias(), field)
    return value if value is None or convert is None else convert(value)


def writer(field: Field[Any, Any]) -> Convert:
    """Return what turns Python's values of one column, none of them null, into the database's."""
    return _to_database(alias(), field) or (lambda value: value)


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


def _updating(model: type[Model], where: Values, values: Values) -> tuple[str, list[Any]]:
    tested = tuple([value for value in where.values() if value is not None])
    nulls = () if len(tested) == len(where) else tuple([name for name, value in where.items() if value is None])
    sql, converters = _update_sql(alias(), model, tuple(values), tuple(where), nulls)
    return sql, _converted([*values.values(), *tested], converters)


def _inserting(model: type[Model], rows: Sequence[Values]) -> tuple[str, list[Any]]:
    sql, converters = _insert_sql(alias(), model, tuple(rows[0]), len(rows))
    return sql, _converted([value for row in rows for value in row.values()], converters)


@lru_cache(maxsize=256)
def _update_sql(
    using: str, model: type[Model], names: tuple[str, ...], where: tuple[str, ...], nulls: tuple[str, ...]
) -> tuple[str, Converters]:
    """Return the statement that sets ``names`` where those of ``where`` are equal, or null if among ``nulls``."""
    mark = placeholder()
    set_fields = [_field(model, name) for name in names]
    assigned = ", ".join(f"{quoted(field.column)} = {mark}" for field in set_fields)
    tests = " AND ".join(
        f"{_compared(_field(model, name))} {'IS NULL' if name in nulls else f'= {mark}'}" for name in where
    )
    sql = f"UPDATE {quoted(model._meta.db_table)} SET {assigned} WHERE {tests}"  # noqa: S608 -- names of columns
    return sql, _writers(using, [*set_fields, *(_field(model, name) for name in where if name not in nulls)])


def _compared(field: Field[Any, Any]) -> str:
    """Return a column as it is compared: on PostgreSQL a text as an expression, for a row is found by its numbers.

    It would look for the one running job that it expects in the index of states, where each job that ran since the last
    vacuum has left an entry.
    """
    column = quoted(field.column)
    is_text = isinstance(field, models.CharField)
    return unindexed(column) if is_text and connection().vendor == "postgresql" else column


@lru_cache(maxsize=64)
def _insert_sql(using: str, model: type[Model], names: tuple[str, ...], rows: int) -> tuple[str, Converters]:
    fields = [_field(model, name) for name in names]
    listed = ", ".join(quoted(field.column) for field in fields)
    row = f"({', '.join([placeholder()] * len(fields))})"
    table = quoted(model._meta.db_table)
    sql = f"INSERT INTO {table} ({listed}) VALUES {', '.join([row] * rows)}"  # noqa: S608 -- names of columns
    return sql, _writers(using, fields * rows)


@lru_cache(maxsize=16)
def _both_sql(
    using: str,
    first: type[Model],
    names: tuple[str, ...],
    second: type[Model],
    following: tuple[str, ...],
    link: str,
) -> tuple[str, Converters]:
    sql, converters = _insert_sql(using, first, names, 1)
    fields = [_field(second, name) for name in following]
    listed = ", ".join(quoted(field.column) for field in fields)
    marks = ", ".join([placeholder()] * len(fields))
    table = quoted(second._meta.db_table)
    both = (
        f"WITH one AS ({sql} RETURNING id), "  # noqa: S608 -- names of columns
        f"two AS (INSERT INTO {table} ({quoted(link)}, {listed}) SELECT id, {marks} FROM one) "
        "SELECT id, pg_notify(%s, %s) FROM one"
    )
    later = tuple((position + len(names), convert) for position, convert in _writers(using, fields))
    return both, (*converters, *later)


def _writers(using: str, fields: Sequence[Field[Any, Any]]) -> Converters:
    found = [(position, _to_database(using, field)) for position, field in enumerate(fields)]
    return tuple((position, convert) for position, convert in found if convert is not None)


@lru_cache(maxsize=128)
def _to_database(using: str, field: Field[Any, Any]) -> Convert | None:
    """Return what turns Python's value of a column into the database's; ``None`` where they are the same."""
    queue = connections[using]
    if isinstance(field, models.DateTimeField) and _keeps_utc_text(queue):
        return _utc_text
    if isinstance(field, models.JSONField):
        return partial(to_json, encoder=field.encoder)
    if isinstance(field, models.DateTimeField) and queue.vendor != "postgresql":
        return lambda value: field.get_db_prep_save(value, queue)
    return None


@lru_cache(maxsize=32)
def _utc_text(moment: datetime) -> str:
    """Return an aware time as SQLite stores it: UTC, as Django writes it."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(" ")[: -len("+00:00")]


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
        return _from_json if field.decoder is None else partial(json.loads, cls=field.decoder)
    column = field.get_col(field.model._meta.db_table)
    steps = [*queue.ops.get_db_converters(column), *column.get_db_converters(queue)]
    if not steps:
        return None

    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value, column, queue)
        return value

    return convert


def to_json(value: Any, encoder: type[json.JSONEncoder] | None = DjangoJSONEncoder) -> str:
    """Return the text of a JSON column."""
    if type(value) is Checked:
        return value.text
    return str(value) if not value and type(value) in (dict, list) else json.dumps(value, cls=encoder)


def _from_json(text: str) -> Any:
    """Return what ``text`` means. Most columns of JSON are empty, and the standard library's way is a long one."""
    return {} if text == "{}" else [] if text == "[]" else json.loads(text)


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.get_field(name)
    if not isinstance(field, Field):
        raise TypeError(f"{model.__name__}.{name} is no column")
    return field
