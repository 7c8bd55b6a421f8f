"""One statement that copies the newest row of a table many times: how a million jobs that are not due are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SERIES = {
    "sqlite": "(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {count}) SELECT i FROM s)",
    "postgresql": "generate_series(1, {count})",
}


def statement(
    vendor: str, table: str, columns: Sequence[str], count: int, changed: Mapping[str, str] | None = None
) -> str:
    """Return the INSERT. ``changed`` gives columns an expression in place of the copied value.

    In it ``n.i`` counts from 1 and ``t`` is the copied row, the one with the highest ``id`` or else the only one.
    """
    values = ", ".join((changed or {}).get(name, f't."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    series = SERIES[vendor].format(count=count) + (" AS n" if vendor == "sqlite" else " AS n(i)")
    return (
        f"INSERT INTO {table} ({names}) SELECT {values} "  # noqa: S608 -- names of the benchmark's own tables
        f"FROM (SELECT * FROM {table} ORDER BY id DESC LIMIT 1) AS t, {series}"
    )
