"""A CSV file from outside as rows by column: its encoding, separator and size. Knows nothing of what posts may be."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts import conf
from posts.services.errors import Problem, ValidationFailed
from posts.text.csv_cells import COLUMNS, column_named, own_text_of, unguarded

DELIMITERS = (",", ";", "\t")
MOST_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``number`` is the one that a spreadsheet shows: the header is row 1. ``problem`` is why it is broken."""

    number: int
    cells: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file that are not empty, its columns, and what to know of them."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def decoded(content: bytes) -> str:
    """Return the text of a file, which is UTF-8 with or without a mark. Raises ValidationFailed on ``file``."""
    most = conf.get("IMPORT_MAX_BYTES")
    if len(content) > most:
        text = _("The file has %(bytes)s bytes, at most %(most)s are taken; split it")
        raise _refused(text % {"bytes": f"{len(content):,}", "most": f"{most:,}"})
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = _("Line %(line)s is not UTF-8; save the file as “CSV UTF-8” in the spreadsheet")
        raise _refused(text % {"line": f"{line:,}"}) from None


def read_table(text: str) -> Table:
    """Return the rows of ``text``. Raises ValidationFailed, on ``file``, for what is no table of posts."""
    delimiter = _delimiter(text)
    records = _records(text, delimiter)
    header = next(records, [])
    if len(header) > MOST_COLUMNS:
        raise _refused(_("The first row has more than %(most)s columns") % {"most": MOST_COLUMNS})
    columns = tuple(map(column_named, header))
    _require_columns(columns)
    rows: list[Row] = []
    most = conf.get("IMPORT_MAX_ROWS")
    for number, cells in enumerate(records, 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) == most:
            said = ngettext(
                "At most %(n)s row is taken at a time; split the file",
                "At most %(n)s rows are taken at a time; split the file",
                most,
            )
            raise _refused(said % {"n": f"{most:,}"})
        rows.append(_row(number, columns, cells))
    if not rows:
        raise _refused(_("The file has no row below the names of the columns"))
    return Table(columns, tuple(rows), tuple(_notes(columns)))


def _delimiter(text: str) -> str:
    """Return the separator by which the first row names most columns that are known."""

    def known(delimiter: str) -> int:
        return sum(_is_known(column_named(cell)) for cell in next(_records(text, delimiter, strict=False), []))

    return max(DELIMITERS, key=known)


def _records(text: str, delimiter: str, *, strict: bool = True) -> Iterator[list[str]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=strict)
    try:
        yield from reader
    except csv.Error as error:
        if not strict:
            return
        said = _("Line %(line)s cannot be read as CSV: %(why)s")
        raise _refused(said % {"line": f"{reader.line_num:,}", "why": error}) from None


def _row(number: int, columns: tuple[str, ...], cells: list[str]) -> Row:
    found = {name: unguarded(cell) for name, cell in zip(columns, cells, strict=False)}
    more = [cell for cell in cells[len(columns) :] if cell.strip()]
    if more:
        text = _("The row has %(cells)s cells, the first row names %(columns)s columns; put quotes around its texts")
        return Row(number, found, text % {"cells": len(cells), "columns": len(columns)})
    return Row(number, found)


def _require_columns(columns: tuple[str, ...]) -> None:
    known = [column for column in columns if _is_known(column)]
    if not known:
        text = _("The first row names no column that is known here; it must be like: %(columns)s")
        raise _refused(text % {"columns": ", ".join(COLUMNS[:5])})
    twice = sorted({column for column in known if known.count(column) > 1})
    if twice:
        raise _refused(_("The column %(column)s is there twice") % {"column": twice[0][:60]})


def _notes(columns: tuple[str, ...]) -> Iterator[str]:
    unknown = [column for column in columns if column and not _is_known(column)]
    if unknown:
        names = ", ".join(column[:40] for column in unknown[:10])
        yield _("These columns are not known and are left out: %(columns)s") % {"columns": names}


def _is_known(column: str) -> bool:
    return column in COLUMNS or own_text_of(column) is not None


def _refused(text: str) -> ValidationFailed:
    return ValidationFailed([Problem("file", text)])
