"""Posts from a CSV file: a page that explains the columns, a trial that keeps nothing, the import in portions; and the
list of posts as a CSV file. Parses, calls services and selectors, renders.

Between trial and import the file travels in the form, signed; it is judged again all the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.contrib import admin as site_admin
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts import conf
from posts.admin import exporting, zones
from posts.admin.bodies import with_limits
from posts.admin.import_help import COLUMN_HELP, example
from posts.admin.people import person_of
from posts.models import Post
from posts.services.csv_import import CsvImport, Verdict
from posts.services.csv_reading import decoded, read_table
from posts.services.errors import ValidationFailed
from queue_app.admin import history
from queue_app.database import atomic

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin

FILE, ORDER, SO_FAR = "file", "order", "so_far"
SALT = "posts.csv_import"
DAY_SECONDS = 86_400
# What the address of a list says beside its filters: the page, the order, how much is shown.
NOT_FILTERS = ("p", "o", "e", "all")
# The form with a file inside stays below Django's limit for fields of forms.
BODY_BYTES = 2_000_000
# A portion ends after so long, so that a page always comes back soon; at least one row is done in each.
PORTION_SECONDS = 2.0


def urls(admin: PostAdmin) -> list[URLPattern]:
    """Return the addresses of import and export."""

    def take(request: HttpRequest) -> HttpResponse:
        return _import(admin, request)

    def refuse(request: HttpRequest, text: str, status: int) -> HttpResponse:
        return _start(admin, request, [text], status)

    def limits() -> Mapping[str, int]:
        return {"max_bytes": BODY_BYTES, "video_max_bytes": BODY_BYTES}

    view = site_admin.site.admin_view(with_limits(take, limits, refuse))
    return [path("import/", view, name="posts_post_import"), *exporting.urls(admin)]


def links(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the addresses and labels of import and export for the list of posts, whose filters the export keeps."""
    filters = request.GET.copy()
    for name in NOT_FILTERS:
        filters.pop(name, None)
    query = f"?{filters.urlencode()}" if filters else ""
    found = [(f"{reverse('admin:posts_post_export')}{query}", _("Export as CSV"))]
    if request.user.has_perm("posts.add_post"):
        found.insert(0, (reverse("admin:posts_post_import"), _("Import from CSV")))
    return found


def _import(admin: PostAdmin, request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("posts.add_post"):
        raise PermissionDenied
    if request.method != "POST":
        return example(request) if "example" in request.GET else _start(admin, request)
    if ORDER in request.POST:
        return _go_on(admin, request)
    file = request.FILES.get(FILE)
    if file is None:
        return _start(admin, request, [_("There is no file in the form. Choose a file first.")], 400)
    try:
        text = decoded(file.read())
        found = _reading(request, text).try_rows()
    except ValidationFailed as error:
        return _start(admin, request, [f"{problem.message}." for problem in error.problems], 400)
    return _show_trial(admin, request, text, str(file.name)[:100], found)


def _reading(request: HttpRequest, text: str) -> CsvImport:
    person = person_of(request)
    return CsvImport(read_table(text), person, zones.zone_of(person))


def _start(admin: PostAdmin, request: HttpRequest, problems: Sequence[str] = (), status: int = 200) -> HttpResponse:
    if not request.user.has_perm("posts.add_post"):
        raise PermissionDenied
    context = {
        "title": _("Import posts"),
        "problems": problems,
        "columns": COLUMN_HELP,
        "zone": zones.zone_of(request.user),
        "most_rows": conf.get("IMPORT_MAX_ROWS"),
        "most_bytes": conf.get("IMPORT_MAX_BYTES"),
        "may_schedule": request.user.has_perm("posts.schedule_post"),
    }
    return _page(admin, request, "posts/admin/import.html", context, status)


def _show_trial(
    admin: PostAdmin, request: HttpRequest, text: str, name: str, verdicts: Sequence[Verdict]
) -> HttpResponse:
    order = {"token": str(uuid4()), "person": request.user.pk, "name": name, "text": text}
    good = sum(verdict.is_good for verdict in verdicts)
    context = {
        "title": _("Import posts: the trial"),
        "name": name,
        "verdicts": verdicts,
        "good": good,
        "warned": sum(verdict.is_good and bool(verdict.warnings) for verdict in verdicts),
        "refused": len(verdicts) - good,
        "notes": read_table(text).notes,
        "order": signing.dumps(order, salt=SALT, compress=True),
        "button": ngettext("Import the %(n)s good row", "Import the %(n)s good rows", good) % {"n": f"{good:,}"},
    }
    return _page(admin, request, "posts/admin/import_trial.html", context)


def _go_on(admin: PostAdmin, request: HttpRequest) -> HttpResponse:
    """Import the next portion of a confirmed file; show how far it is, or the report."""
    try:
        order = signing.loads(request.POST[ORDER], salt=SALT, max_age=DAY_SECONDS)
        sent = request.POST.get(SO_FAR, "")
        so_far: list[list[Any]] = signing.loads(sent, salt=SALT + order["token"], max_age=DAY_SECONDS) if sent else []
    except signing.BadSignature:
        text = _("This trial is too old, or was altered: choose the file again. Nothing was imported now.")
        return _start(admin, request, [text], 400)
    if order["person"] != request.user.pk:
        raise PermissionDenied
    if not so_far and _is_reported(request, order["token"]):
        messages.info(request, _("This file was imported already; no post was made a second time."))
        return HttpResponseRedirect(reverse("admin:posts_post_changelist"))
    try:
        work = _reading(request, order["text"])
    except ValidationFailed as error:
        return _start(admin, request, [f"{problem.message}." for problem in error.problems], 400)
    so_far += _portion(request, work, UUID(order["token"]), len(so_far))
    context = {
        "name": order["name"],
        "order": request.POST[ORDER],
        "so_far": signing.dumps(so_far, salt=SALT + order["token"], compress=True),
        "made": [(number, pk, said) for number, pk, said in so_far if pk],
        "refused": [(number, said) for number, pk, said in so_far if not pk],
        "done": len(so_far),
        "total": len(work.table.rows),
    }
    if len(so_far) < len(work.table.rows):
        return _page(admin, request, "posts/admin/import_progress.html", {"title": _("Import posts"), **context})
    _report(request, order, len(context["made"]), len(so_far))
    return _page(admin, request, "posts/admin/import_report.html", {"title": _("Import posts: the report"), **context})


def _portion(request: HttpRequest, work: CsvImport, token: UUID, start: int) -> list[list[Any]]:
    """Import rows from ``start`` on for a while; return for each its number, its post or 0, and what became of it."""
    ends = time.monotonic() + PORTION_SECONDS
    found: list[list[Any]] = []
    for row in work.table.rows[start:]:
        note = _("Imported from row %(row)s of a CSV file.") % {"row": row.number}
        verdict = work.import_row(row, token, lambda post, note=note: history.record(request, post, ADDITION, note))
        problems = "; ".join(_said(problem.field, problem.message) for problem in verdict.problems)
        found.append([verdict.number, verdict.post_id or 0, problems or verdict.made])
        if time.monotonic() >= ends:
            break
    return found


def _said(field: str, message: str) -> str:
    return f"{field}: {message}" if field else message


def _mark(token: str) -> str:
    return f"({token})"


def _is_reported(request: HttpRequest, token: str) -> bool:
    """Say whether the import with ``token`` has come to its end before; its posts may have been edited since."""
    kind = ContentType.objects.get_for_model(Post)
    lines = LogEntry.objects.filter(user=person_of(request), content_type=kind, object_id="")
    return lines.filter(change_message__endswith=_mark(token)).exists()


def _report(request: HttpRequest, order: Mapping[str, Any], made: int, rows: int) -> None:
    """Write a line for the whole import, once."""
    if _is_reported(request, order["token"]):
        return
    text = _("Imported %(made)s of %(rows)s rows of a CSV file.") % {"made": f"{made:,}", "rows": f"{rows:,}"}
    with atomic():
        history.record(request, Post(), ADDITION, f"{text} {_mark(order['token'])}", key="", name=order["name"])


def _page(
    admin: PostAdmin, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    base = {**admin.admin_site.each_context(request), "opts": admin.opts, "media": admin.media, **context}
    return TemplateResponse(request, template, base, status=status)
