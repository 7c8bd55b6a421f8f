"""Lists in pages: a cursor says after which row a page begins, so that rows that are added meanwhile shift nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet
from django.utils.translation import gettext as _

from queue_app.rest.problems import FieldError, Problem

SALT = "queue_app.rest.pages"
LONGEST_CURSOR = 500
DEFAULT_LIMIT, MOST = 50, 100
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor of those after them; "" at the end."""

    rows: list[Row]
    next: str


def page_of(
    found: QuerySet[Row], *, order: str, orders: Mapping[str, str], cursor: str = "", limit: int = DEFAULT_LIMIT
) -> Page[Row]:
    """Return at most ``limit`` rows of ``found`` after ``cursor``, in the order called ``order``.

    ``orders`` are the names that are allowed, each with a field, ``-`` before it for the last first; rows with the same
    value are ordered by id, and rows with none are left out. Raises Problem (400) for a name that is not among them and
    for a cursor that is not ours.
    """
    if order not in orders:
        raise _refused("order", _("There is no such order; there are %(known)s.") % {"known": ", ".join(orders)})
    descends, field = orders[order].startswith("-"), orders[order].removeprefix("-")
    if field != "pk":
        found = found.exclude(**{field: None})
    if cursor:
        value, pk = _opened(cursor, order, found.model, field)
        beyond = "lt" if descends else "gt"
        found = found.filter(Q(**{f"{field}__{beyond}": value}) | Q(**{f"pk__{beyond}": pk}))
        # Said beside the OR, so that an index is entered there and read in order.
        found = found.filter(**{f"{field}__{beyond}e": value})
    columns = [F(name).desc() if descends else F(name).asc() for name in dict.fromkeys((field, "pk"))]
    rows = list(found.order_by(*columns)[: limit + 1])
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(rows[:limit], _sealed(order, last, field) if last is not None else "")


def _sealed(order: str, last: Model, field: str) -> str:
    value = getattr(last, field)
    kept = value.isoformat() if hasattr(value, "isoformat") else value
    return signing.dumps([order, kept, last.pk], salt=SALT)


def _opened(cursor: str, order: str, model: type[Model], field: str) -> tuple[object, int]:
    try:
        made_for, value, pk = signing.loads(cursor[:LONGEST_CURSOR], salt=SALT)
        if made_for != order:
            raise _refused("cursor", _("This cursor belongs to a list in another order."))
        column = model._meta.pk if field == "pk" else model._meta.get_field(field)
        return column.to_python(value), int(pk)  # type: ignore[union-attr]  # a column of the table
    except (signing.BadSignature, ValueError, TypeError, ValidationError):
        raise _refused("cursor", _("This is no cursor of this list; begin without one.")) from None


def _refused(name: str, message: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, message, errors=[FieldError(name, message)])
