"""What travels in the forms of an import: the file as it was tried, and what became of its rows so far. Signed.

A signature says only that it comes from here and whose it is: whatever is in it is judged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from django.core import signing

from posts.services.csv_import import Verdict
from posts.services.csv_rows import Finding

SALT = "posts.csv_import"
DAY_SECONDS = 86_400
TRIAL, IMPORT = "trial", "import"


class UnknownOrderError(Exception):
    """What was sent is too old, was altered, or belongs to something else."""


@dataclass(frozen=True, slots=True)
class Order:
    """One file of one person. ``token`` is the import's own: the same order sent twice makes no second post."""

    token: str
    person: int
    name: str
    text: str

    @property
    def uuid(self) -> UUID:
        """The token as the services take it."""
        return UUID(self.token)

    @property
    def digest(self) -> str:
        """What tells this file from others in the history."""
        return sha256(self.text.encode()).hexdigest()[:32]


def new_order(person: int, name: str, text: str) -> Order:
    """Return an order for a file that has just come."""
    return Order(str(uuid4()), person, name, text)


def packed(order: Order) -> str:
    """Return ``order`` as a field of a form."""
    return signing.dumps(asdict(order), salt=SALT, compress=True)


def unpacked(field: str) -> Order:
    """Return what ``packed`` was given. Raises UnknownOrderError."""
    return Order(**_loaded(field, SALT))


def packed_verdicts(order: Order, stage: str, verdicts: Sequence[Verdict]) -> str:
    """Return what became of the first rows, in the trial or the import of ``order``, as a field of a form."""
    return signing.dumps([asdict(verdict) for verdict in verdicts], salt=_salt(order, stage), compress=True)


def unpacked_verdicts(order: Order, stage: str, field: str) -> list[Verdict]:
    """Return what ``packed_verdicts`` was given, nothing for "". Raises UnknownOrderError."""
    found = _loaded(field, _salt(order, stage)) if field else []
    return [
        Verdict(**{**each, **{kind: [Finding(**said) for said in each[kind]] for kind in ("problems", "warnings")}})
        for each in found
    ]


def _salt(order: Order, stage: str) -> str:
    return f"{SALT}.{stage}.{order.token}"


def _loaded(field: str, salt: str) -> Any:
    try:
        return signing.loads(field, salt=salt, max_age=DAY_SECONDS)
    except signing.BadSignature as error:
        raise UnknownOrderError from error
