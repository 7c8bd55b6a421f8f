"""Template tags of the lists: rows whose cells know their column, filters as menus, actions as buttons."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.contrib.admin import ChoicesFieldListFilter
from django.contrib.admin.templatetags.admin_list import result_headers, results
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

register = template.Library()

EMPTY = re.compile(r"<t[dh][^>]*>\s*[-–]?\s*</t[dh]>")


@register.inclusion_tag("queue_app/admin/results.html")
def list_rows(cl: Any) -> dict[str, Any]:
    """Return the head and the rows of a change list; each cell has its column's name, for narrow screens."""
    headers = list(result_headers(cl))
    # A column's name for each cell; the tick boxes' has none.
    names = ["" if "action-checkbox-column" in str(head["class_attrib"]) else str(head["text"]) for head in headers]
    rows = [[_named(cell, name) for cell, name in zip(row, names, strict=False)] for row in results(cl)]
    return {"headers": headers, "rows": rows}


@register.inclusion_tag("queue_app/admin/filter_menu.html")
def filter_menu(cl: Any, spec: Any) -> dict[str, Any]:
    """Return one filter as a menu: its choices as links, and which one holds. A range of days has a form as well."""
    choices = [{**choice, "display": _shown(choice["display"], spec)} for choice in spec.choices(cl)]
    chosen = next((choice for choice in choices if choice["selected"]), None)
    days = getattr(spec, "days", None)
    # What the URL asks for need not be among what is offered.
    other = getattr(spec, "chosen", "") or (spec.value() if hasattr(spec, "value") else "")
    return {
        "title": spec.title,
        "choices": choices,
        "chosen": chosen["display"] if chosen is not None else other,
        "active": chosen is not choices[0] if choices else False,
        "days": days() if days is not None else None,
        "kept": _kept(cl, spec),
    }


def _named(cell: SafeString, name: str) -> SafeString:
    """Return a cell that carries the name of its column."""
    if not name:
        return cell
    tag, rest = SafeString(cell[:3]), SafeString(cell[3:])
    empty = SafeString(" data-empty") if EMPTY.fullmatch(cell) else ""
    return format_html('{} data-label="{}"{}', tag, capfirst(name), empty) + rest


def _shown(display: Any, spec: Any) -> Any:
    """Return what a choice is called: words begin with a capital, names stay as they are."""
    return capfirst(display) if isinstance(display, Promise) or isinstance(spec, ChoicesFieldListFilter) else display


def _kept(cl: Any, spec: Any) -> list[tuple[str, str]]:
    """Return what of the URL a form of the filter sends along: everything but its own."""
    own = set(spec.expected_parameters())
    return [(name, value[-1] if isinstance(value, list) else value) for name, value in _asked(cl) if name not in own]


def _asked(cl: Any) -> list[tuple[str, Any]]:
    query = [("q", cl.query)] if cl.query else []
    return [*query, *((name, value) for name, value in cl.filter_params.items() if name != "q")]
