"""How posts are written in the cells of a table: column names, lists in one cell, and texts that a spreadsheet would
take for formulas. What is written here is read here: each pair of functions undoes the other exactly. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

COLUMNS = (
    "text",
    "accounts",
    "scheduled_at",
    "timezone",
    "status",
    "tags",
    "media",
    "alt_text",
    "first_comment",
    "thread",
    "language",
)
# Between two accounts, tags or files; between the alt texts of two files, in which a semicolon is common.
SEPARATOR, ALT_SEPARATOR = ";", "|"

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_OWN_TEXT = re.compile(r"text\s*\[(.*)\]", re.IGNORECASE | re.DOTALL)


def guarded(cell: str) -> str:
    """Return ``cell`` so that no spreadsheet takes it for a formula: with an apostrophe in front where it needs one."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return what ``guarded`` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def joined(words: Iterable[str], separator: str = SEPARATOR) -> str:
    """Return ``words`` as one cell; a separator inside of one gets a backslash, and so does a backslash before it."""
    return f"{separator} ".join(word.replace("\\", "\\\\").replace(separator, f"\\{separator}") for word in words)


def split(cell: str, separator: str = SEPARATOR) -> list[str]:
    """Return the words of a cell, without the spaces around them; empty ones too, except at the end."""
    words, word, signs = [], "", iter(cell)
    for sign in signs:
        if sign == "\\":
            following = next(signs, "")
            word += following if following in (separator, "\\") else sign + following
        elif sign == separator:
            words.append(word)
            word = ""
        else:
            word += sign
    words.append(word)
    found = [each.strip() for each in words]
    while found and not found[-1]:
        found.pop()
    return found


def column_named(header: str) -> str:
    """Return the column that a header cell means, however it is written: ``Scheduled at`` is ``scheduled_at``.

    A text of an account's own, ``text[Ada]``, keeps what is in the brackets as it is.
    """
    own = own_text_of(header)
    if own is not None:
        return own_text_column(own)
    return "_".join(unguarded(header).strip().lower().replace("-", " ").replace("_", " ").split())


def own_text_column(account: str) -> str:
    """Return the name of the column with the texts for ``account``."""
    return f"text[{account}]"


def own_text_of(column: str) -> str | None:
    """Return the account of a column ``text[account]``; ``None`` for any other column."""
    found = _OWN_TEXT.fullmatch(unguarded(column).strip())
    return found[1].strip() if found else None
