"""Posts from a CSV file: a page that explains the columns, a trial that keeps nothing, the import, a report.

Parses, calls services, renders. Trial and import are done in portions, so that a page always comes back soon; with
htmx they go on by themselves, else by a button.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin as site_admin
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts import conf
from posts.admin import exporting, import_order, zones
from posts.admin.bodies import with_limits
from posts.admin.import_help import COLUMN_HELP, example
from posts.admin.import_order import IMPORT, TRIAL, Order, UnknownOrderError
from posts.admin.people import person_of
from posts.models import Post
from posts.services.csv_import import CsvImport, Verdict
from posts.services.csv_reading import Row, decoded, read_table
from posts.services.errors import ValidationFailed
from queue_app.admin import history
from queue_app.database import atomic

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin

FILE, ORDER, STAGE, SO_FAR = "file", "order", "stage", "so_far"
# The form with a file inside stays below Django's limit for fields of forms.
BODY_BYTES = 2_400_000
# A portion ends after so long; at least one row is done in each.
PORTION_SECONDS = 2.0
# What the address of a list says beside its filters: the page, the order, how much is shown.
NOT_FILTERS = ("p", "o", "e", "all")


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
    try:
        return _work(admin, request)
    except UnknownOrderError:
        text = _("This trial is too old, or was altered: choose the file again. Nothing was imported now.")
        return _start(admin, request, [text], 400)
    except ValidationFailed as error:
        return _start(admin, request, [f"{problem.message}." for problem in error.problems], 400)


def _work(admin: PostAdmin, request: HttpRequest) -> HttpResponse:
    """Do a portion of the trial of a file that comes, or of what the form goes on with."""
    if ORDER not in request.POST:
        file = request.FILES.get(FILE)
        if file is None:
            return _start(admin, request, [_("There is no file in the form. Choose a file first.")], 400)
        order = import_order.new_order(person_of(request).pk, str(file.name)[:100], decoded(file.read()))
        return _try(admin, request, order, [])
    order = import_order.unpacked(request.POST[ORDER])
    if order.person != request.user.pk:
        raise PermissionDenied
    stage = TRIAL if request.POST.get(STAGE) == TRIAL else IMPORT
    so_far = import_order.unpacked_verdicts(order, stage, request.POST.get(SO_FAR, ""))
    if stage == TRIAL:
        return _try(admin, request, order, so_far)
    if not so_far and _is_reported(request, order.token):
        messages.info(request, _("This file was imported already; no post was made a second time."))
        return HttpResponseRedirect(reverse("admin:posts_post_changelist"))
    return _carry_out(admin, request, order, so_far)


def _reading(request: HttpRequest, order: Order) -> CsvImport:
    person = person_of(request)
    return CsvImport(read_table(order.text), person, zones.zone_of(person))


def _try(admin: PostAdmin, request: HttpRequest, order: Order, so_far: list[Verdict]) -> HttpResponse:
    work = _reading(request, order)
    verdicts = so_far + _portion(work.table.rows[len(so_far) :], work.try_row)
    if len(verdicts) < len(work.table.rows):
        return _progress(admin, request, order, TRIAL, verdicts, len(work.table.rows))
    work.warn_of_twins(verdicts)
    good = sum(verdict.is_good for verdict in verdicts)
    twice = _("You have imported this very file before. Imported again, it makes its posts a second time.")
    again = [twice] if _is_reported(request, order.digest) else []
    context = {
        "title": _("Import posts: the trial"),
        "name": order.name,
        "verdicts": verdicts,
        "good": good,
        "warned": sum(verdict.is_good and bool(verdict.warnings) for verdict in verdicts),
        "refused": len(verdicts) - good,
        "notes": [*again, *work.table.notes],
        "order": import_order.packed(order),
        "button": ngettext("Import the %(n)s good row", "Import the %(n)s good rows", good) % {"n": f"{good:,}"},
    }
    return _page(admin, request, "posts/admin/import_trial.html", context)


def _carry_out(admin: PostAdmin, request: HttpRequest, order: Order, so_far: list[Verdict]) -> HttpResponse:
    """Import the next portion of a confirmed file; show how far it is, or the report."""
    work = _reading(request, order)

    def take(row: Row) -> Verdict:
        said = _("Imported from row %(row)s of a CSV file.") % {"row": row.number}
        return work.import_row(row, order.uuid, partial(_record, request, said))

    verdicts = so_far + _portion(work.table.rows[len(so_far) :], take)
    if len(verdicts) < len(work.table.rows):
        return _progress(admin, request, order, IMPORT, verdicts, len(work.table.rows))
    made = [verdict for verdict in verdicts if verdict.post_id]
    _report(request, order, len(made), len(verdicts))
    context = {
        "title": _("Import posts: the report"),
        "name": order.name,
        "made": made,
        "refused": [verdict for verdict in verdicts if not verdict.post_id],
    }
    return _page(admin, request, "posts/admin/import_report.html", context)


def _portion(rows: Sequence[Row], take: Callable[[Row], Verdict]) -> list[Verdict]:
    """Take rows for a while."""
    ends = time.monotonic() + PORTION_SECONDS
    found: list[Verdict] = []
    for row in rows:
        found.append(take(row))
        if time.monotonic() >= ends:
            break
    return found


def _record(request: HttpRequest, said: str, post: Post) -> None:
    history.record(request, post, ADDITION, said)


def _is_reported(request: HttpRequest, mark: str) -> bool:
    """Say whether an import with ``mark``, a token or a digest, has come to its end; its posts may be others since."""
    kind = ContentType.objects.get_for_model(Post)
    lines = LogEntry.objects.filter(user=person_of(request), content_type=kind, object_id="")
    return lines.filter(change_message__contains=mark).exists()


def _report(request: HttpRequest, order: Order, made: int, rows: int) -> None:
    """Write a line for the whole import, once."""
    if _is_reported(request, order.token):
        return
    text = _("Imported %(made)s of %(rows)s rows of a CSV file.") % {"made": f"{made:,}", "rows": f"{rows:,}"}
    with atomic():
        history.record(request, Post(), ADDITION, f"{text} ({order.token}, {order.digest})", key="", name=order.name)


def _start(admin: PostAdmin, request: HttpRequest, problems: Sequence[str] = (), status: int = 200) -> HttpResponse:
    if not request.user.has_perm("posts.add_post"):
        raise PermissionDenied
    context = {
        "title": _("Import posts"),
        "problems": problems,
        "columns": COLUMN_HELP,
        "zone": zones.zone_of(request.user),
        "most_rows": f"{conf.get('IMPORT_MAX_ROWS'):,}",
        "most_bytes": f"{conf.get('IMPORT_MAX_BYTES'):,}",
        "may_schedule": request.user.has_perm("posts.schedule_post"),
    }
    return _page(admin, request, "posts/admin/import.html", context, status)


def _progress(
    admin: PostAdmin, request: HttpRequest, order: Order, stage: str, verdicts: Sequence[Verdict], total: int
) -> HttpResponse:
    context = {
        "title": _("Import posts"),
        "order": import_order.packed(order),
        "stage": stage,
        "is_trial": stage == TRIAL,
        "so_far": import_order.packed_verdicts(order, stage, verdicts),
        "done": len(verdicts),
        "total": total,
    }
    return _page(admin, request, "posts/admin/import_progress.html", context)


def _page(
    admin: PostAdmin, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    base = {**admin.admin_site.each_context(request), "opts": admin.opts, "media": admin.media}
    return TemplateResponse(request, template, {**base, **context}, status=status)
