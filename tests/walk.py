"""Every page of the admin, found through the resolver, so that a new one is looked at without being told of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.urls import URLPattern, URLResolver

Sql = Callable[[str], Sequence[Sequence[Any]]]

# No pages of ours, or with tests of their own: each with the reason.
LEFT_OUT: Mapping[str, str] = {
    "login": "is walked through by everybody who signs in",
    "logout": "takes a POST alone",
    "autocomplete": "answers with JSON",
    "jsi18n": "is a script",
    "view_on_site": "leads away from the admin",
    "posts_account_callback": "a network leads here; tested with logging in",
    "posts_account_choose": "a network leads here; tested with logging in",
}
# What stands behind the address of a page, beside the page itself.
ALSO: Mapping[str, Sequence[str]] = {
    "posts_post_changelist": ("?q=nothing+has+this", "?p=2"),
    "posts_calendar": ("?view=month", "?view=week", "?view=day", "?view=list"),
    "queue_app_job_changelist": ("?state__exact=failed", "?q=nothing+has+this"),
    "posts_account_add": ("?platform=outbox", "?platform=mastodon", "?platform=bluesky", "?platform=webhook"),
}
ROW_PARAMETERS = {"object_id", "pk", "id", "account_id", "post_id", "media_id", "job_id"}
# Where a form that is sent changes nothing but what is shown. Lists take actions, which are looked at by themselves.
READING = ("_changelist", "_history", "_calendar", "_dashboard", "_attention", "index", "app_list")


class UnknownParametersError(AssertionError):
    """A page has parameters that nobody gave: add it to ``GIVEN`` or to ``LEFT_OUT``."""


@dataclass(frozen=True, slots=True)
class View:
    """One address of the admin. ``route`` has each parameter as ``{name}``."""

    name: str
    route: str
    parameters: tuple[str, ...]


def admin_views() -> list[View]:
    """Return every named address of the admin, the first of each name."""
    found: dict[str, View] = {}
    for view in views(admin.site.get_urls(), "/admin/"):
        found.setdefault(view.name, view)
    return list(found.values())


def views(patterns: Sequence[Any], prefix: str) -> Iterator[View]:
    """Yield every named address of ``patterns``, which are below ``prefix``."""
    for pattern in patterns:
        route = prefix + _route(pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield View(pattern.name, route, tuple(re.findall(r"{(\w+)}", route)))


def addresses(sql: Sql) -> dict[str, list[str]]:
    """Return the addresses of every page by its name: of a row's page one for each state that a row has.

    ``sql`` reads the site's database. Raises UnknownParametersError with the name of a page that cannot be reached.
    """
    found = {}
    for view in admin_views():
        if view.name in LEFT_OUT:
            continue
        found[view.name] = [view.route.format(**given) for given in _given(view, sql)]
        if not found[view.name]:
            raise UnknownParametersError(f"{view.name}: there is no row to show; add one to tests/filled.py")
        found[view.name] += [found[view.name][0] + query for query in ALSO.get(view.name, ())]
    return found


def _route(pattern: Any) -> str:
    text = str(pattern.pattern).removeprefix("^").removesuffix("$")
    text = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", text)
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", text)


def _given(view: View, sql: Sql) -> list[dict[str, str]]:
    if not view.parameters:
        return [{}]
    if view.name == "app_list":
        return [{"app_label": label} for label in ("posts", "queue_app", "auth")]
    model = _model(view.route)
    if model is None or len(view.parameters) != 1 or view.parameters[0] not in ROW_PARAMETERS:
        raise UnknownParametersError(f"{view.name} at {view.route}: tests/walk.py does not know what to give it")
    each_state = view.name.endswith("_change")
    return [{view.parameters[0]: quote(str(pk), safe="")} for pk in rows_of(model, sql, each_state=each_state)]


def rows_of(model: Any, sql: Sql, *, each_state: bool) -> list[Any]:
    """Return the key of a row of ``model``, or of one in each state."""
    table, names = model._meta.db_table, {field.column for field in model._meta.fields}
    by = next((name for name in ("status", "state", "platform", "outcome") if name in names), None)
    grouped = f" GROUP BY {by}" if by and each_state else ""
    key = model._meta.pk.column
    return [row[0] for row in sql(f"SELECT MIN({key}) FROM {table}{grouped}") if row[0] is not None]


def _model(route: str) -> Any:
    """Return the model whose folder ``route`` is in."""
    of_model = {f"/admin/{model._meta.app_label}/{model._meta.model_name}/": model for model in admin.site._registry}
    return next((model for folder, model in of_model.items() if route.startswith(folder)), None)
