"""Moving posts on the calendar: by dragging, by “Move to…”, and back again. Parses, calls services, renders."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from posts.admin import zones
from posts.admin.calendar_asked import YEARS, Asked, asked_by
from posts.admin.calendar_page import free_time, page_context
from posts.admin.people import person_of
from posts.admin.wall_time import WallTimeForm, wall_time_field
from posts.models import Post, PostStatus
from posts.selectors.calendar import with_cards
from posts.selectors.posts import visible_posts
from posts.services.errors import NotAllowed, ServiceError, ValidationFailed
from posts.services.moves import Landing, at_time, move_post, on_day, why_not_movable
from posts.services.taking_back import unschedule_post
from posts.text.wall_time import AmbiguousError, Fold, WallTimeError
from queue_app import clock
from queue_app.admin import history
from queue_app.database import atomic

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin

UNDO = "posts_calendar_undo"
# So long the page offers to undo the last move.
UNDO_OFFERED = timedelta(minutes=10)


@dataclass
class Said:
    """What became of a move: ``lines`` of text, whether it can be undone, and which of two equal times to choose."""

    lines: list[str]
    is_refused: bool = False
    can_undo: bool = False
    show_url: str = ""
    folds: list[tuple[int, str]] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)


# What moving needs: of a draft, and of what is scheduled.
MOVES = {True: "schedule_post", False: "reschedule_post"}
# What undoing that needs.
UNDOES = {True: ["posts.reschedule_post", "posts.cancel_post"], False: ["posts.reschedule_post"]}


class DropForm(forms.Form):
    """What dragging sends: the post as it was seen, and the day, or the hour of it, on which it was dropped."""

    post = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    version = forms.IntegerField(min_value=0, max_value=2**31 - 1)
    day = forms.DateField(input_formats=["%Y-%m-%d"])
    hour = forms.IntegerField(required=False, min_value=0, max_value=23)
    fold = forms.TypedChoiceField(required=False, choices=[("0", "0"), ("1", "1")], coerce=int, empty_value=None)


class MoveForm(WallTimeForm):
    """Where “Move to…” moves a post."""

    at = wall_time_field(gettext_lazy("Move to"), required=True)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)
    field_order = ["at", "timezone", "fold"]

    def clean(self) -> dict[str, Any]:
        """Turn the wall time into an instant."""
        self.cleaned_data["instant"] = self.instant("at")
        return self.cleaned_data

    def landing(self) -> Landing:
        """Return where the post goes."""
        return Landing(self.cleaned_data["instant"], self.wall_time("at"), self.cleaned_data["timezone"])


def drop(admin: PostAdmin, request: HttpRequest) -> HttpResponse:
    """Move the post that was dragged onto a day or an hour."""
    if not any(request.user.has_perm(f"posts.{action}") for action in MOVES.values()):
        raise PermissionDenied
    asked = asked_by(request, _shown(request))
    form = DropForm(request.POST)
    if not form.is_valid() or form.cleaned_data["day"].year not in YEARS:
        raise BadRequest(_("This is no day or hour of the calendar."))
    given = form.cleaned_data
    post = _post(request, given["post"])
    if post is None:
        return _answer(admin, request, asked, _gone(given["post"]))
    _require_permission(request, post)
    try:
        landing = _landing(post, given, asked)
    except AmbiguousError as error:
        names = {0: _("The first"), 1: _("The second")}
        instants = {0: error.earlier, 1: error.later}
        folds = [(fold, f"{names[fold]} ({zones.offset_words(error.zone, instants[fold])})") for fold in (0, 1)]
        said = Said([_("“%(post)s” was not moved yet.") % {"post": post}, str(error)], is_refused=True, folds=folds)
        said.asked = {name: given[name] for name in ("post", "version", "day", "hour") if given[name] is not None}
        return _answer(admin, request, asked, said)
    except WallTimeError as error:
        return _answer(admin, request, asked, _refused(post, [str(error)]))
    try:
        said = _move(request, post, landing, given["version"], asked)
    except ServiceError as error:
        said = _refused(post, _lines_of(error))
    return _answer(admin, request, asked, said)


def move(admin: PostAdmin, request: HttpRequest, post_id: int) -> HttpResponse:
    """Ask when a post goes out instead, and move it: the way without a mouse, and without scripts."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    asked = asked_by(request, _shown(request))
    post = _post(request, post_id)
    if post is None:
        if not admin.has_view_permission(request):
            raise PermissionDenied
        return _answer(admin, request, asked, _gone(post_id))
    _require_permission(request, post)
    if request.method != "POST":
        form = MoveForm(zone=asked.zone, initial=_initial(post, asked))
        return _ask(admin, request, post, form, asked)
    form = MoveForm(request.POST, zone=asked.zone)
    if not form.is_valid():
        return _ask(admin, request, post, form, asked)
    try:
        said = _move(request, post, form.landing(), form.cleaned_data["version"], asked)
    except ServiceError as error:
        for line in _lines_of(error):
            form.add_error("at", line)
        return _ask(admin, request, post, form, asked)
    return _answer(admin, request, asked, said)


def undo(admin: PostAdmin, request: HttpRequest) -> HttpResponse:
    """Move the post that was moved last back to where it was, unless somebody has changed it since."""
    if not request.user.has_perm("posts.reschedule_post"):
        raise PermissionDenied
    asked = asked_by(request, _shown(request))
    kept = request.session.pop(UNDO, None)
    post = _post(request, kept["post"]) if kept else None
    if kept is None or post is None:
        return _answer(admin, request, asked, Said([_("There is no move to undo any more.")], is_refused=True))
    try:
        with atomic():
            moved = _move_back(post, kept, request)
            done = _("Moved back to %(when)s.") % {"when": _when(moved, moved.timezone)}
            history.record(request, moved, CHANGE, done if kept["at"] else _("Made a draft again."))
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except ServiceError as error:
        return _answer(admin, request, asked, _refused(post, _lines_of(error)))
    names = {"post": moved, "when": _when(moved, asked.zone)}
    line = _("“%(post)s” goes out at %(when)s again.") if kept["at"] else _("“%(post)s” is a draft again.")
    return _answer(admin, request, asked, Said([line % names]))


def last_said(request: HttpRequest) -> Said | None:
    """Return the offer to undo the last move, while it is fresh."""
    kept = request.session.get(UNDO)
    if not kept or clock.now() - datetime.fromisoformat(kept["moved_at"]) > UNDO_OFFERED:
        return None
    return Said([kept["line"]], can_undo=True)


def _move_back(post: Post, kept: dict[str, Any], request: HttpRequest) -> Post:
    """Give ``post`` the time again that was kept of it; one that had none is a draft again. Raises ServiceError."""
    person, version = person_of(request), kept["version"]
    if not kept["at"]:
        return unschedule_post(post, expected_version=version, actor=person)
    landing = Landing(datetime.fromisoformat(kept["at"]), kept["wall_time"], kept["timezone"])
    return move_post(post, landing, expected_version=version, actor=person, is_exception=kept["is_exception"])


def _move(request: HttpRequest, post: Post, landing: Landing, version: int, asked: Asked) -> Said:
    """Move it, with a line in the history, and keep what an undo needs. Raises ServiceError."""
    was_draft = post.status == PostStatus.DRAFT
    before = {
        "post": post.pk,
        "at": "" if was_draft or post.scheduled_at is None else post.scheduled_at.isoformat(),
        "wall_time": post.wall_time,
        "timezone": post.timezone,
        "is_exception": post.is_exception,
    }
    old = _when(post, post.timezone or asked.zone)
    try:
        with atomic():
            moved = move_post(post, landing, expected_version=version, actor=person_of(request))
            new = _when(moved, moved.timezone)
            line = (
                _("Scheduled for %(new)s.") % {"new": new}
                if was_draft
                else _("Moved from %(old)s to %(new)s.") % {"old": old, "new": new}
            )
            history.record(request, moved, CHANGE, line)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    names = {"post": moved, "when": _when(moved, asked.zone)}
    line = _("“%(post)s” is scheduled for %(when)s.") if was_draft else _("“%(post)s” is moved to %(when)s.")
    said = Said([line % names], can_undo=request.user.has_perms(UNDOES[was_draft]))
    kept = {"version": moved.version, "line": said.lines[0], "moved_at": clock.now().isoformat()}
    if said.can_undo:
        request.session[UNDO] = before | kept
    else:
        request.session.pop(UNDO, None)
    day = landing.at.astimezone(ZoneInfo(asked.zone)).date()
    said.show_url = f"{reverse('admin:posts_calendar')}?{asked.query(day=day)}"
    return said


def _landing(post: Post, given: dict[str, Any], asked: Asked) -> Landing:
    """Return where the post lands. A day keeps its time of day; an hour keeps the minutes. Raises WallTimeError."""
    day, hour, fold = given["day"], given["hour"], cast("Fold | None", given["fold"])
    zone = ZoneInfo(asked.zone)
    if post.status == PostStatus.DRAFT or post.scheduled_at is None:
        now = asked.now.astimezone(zone).replace(tzinfo=None)
        start = datetime.combine(day, time(hour or 0))
        # A day that is past, or over, is refused with the reason by the service.
        wall = start if hour is not None else free_time(start, now, by_hours=False) or start
        return at_time(post, wall, seen_in=asked.zone, fold=fold)
    shown = post.scheduled_at.astimezone(zone)
    if hour is None or hour == shown.hour:
        return on_day(post, day, seen_in=asked.zone, fold=fold)
    wall = datetime.combine(day, time(hour, shown.minute, shown.second))
    return at_time(post, wall, seen_in=asked.zone, fold=fold)


def _initial(post: Post, asked: Asked) -> dict[str, Any]:
    zone = post.timezone or asked.zone
    if post.scheduled_at is None or post.status == PostStatus.DRAFT:
        return {"timezone": zone, "version": post.version}
    local = post.scheduled_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)
    at = local.isoformat(timespec="seconds" if local.second else "minutes")
    return {"at": at, "timezone": zone, "version": post.version}


def _ask(admin: PostAdmin, request: HttpRequest, post: Post, form: MoveForm, asked: Asked) -> HttpResponse:
    context = {
        "post": post,
        "form": form,
        "why_not": why_not_movable(post),
        "shown": asked.query(),
        "back": f"{reverse('admin:posts_calendar')}?{asked.query()}",
    }
    if _is_part(request):
        return TemplateResponse(request, "posts/admin/calendar_move_form.html", context)
    context |= {**admin.page_base(request, None), "title": _("Move “%(post)s”") % {"post": post}}
    return TemplateResponse(request, "posts/admin/calendar_move.html", context)


def _answer(admin: PostAdmin, request: HttpRequest, asked: Asked, said: Said) -> HttpResponse:
    """Answer a script with the calendar as it is now; lead everybody else back to it, with a message."""
    if not _is_part(request):
        if said.folds:
            # Without scripts nothing is dragged; the page for moving has the question in its form.
            query = urlencode({"shown": asked.query()})
            return HttpResponseRedirect(f"{reverse('admin:posts_calendar_move', args=[said.asked['post']])}?{query}")
        level = messages.ERROR if said.is_refused else messages.SUCCESS
        if not said.can_undo:  # the calendar says it, beside its button
            messages.add_message(request, level, " ".join(said.lines))
        return HttpResponseRedirect(f"{reverse('admin:posts_calendar')}?{asked.query()}")
    context = {**admin.page_base(request, None), **page_context(request, asked), "said": said, "is_part": True}
    answer = TemplateResponse(request, "posts/admin/calendar_answer.html", context)
    answer["HX-Retarget"], answer["HX-Reswap"] = "#calendar", "outerHTML"
    return answer


def _post(request: HttpRequest, post_id: int) -> Post | None:
    return with_cards(visible_posts(person_of(request)).filter(pk=post_id)).first()


def _require_permission(request: HttpRequest, post: Post) -> None:
    if not request.user.has_perm(f"posts.{MOVES[post.status == PostStatus.DRAFT]}"):
        raise PermissionDenied


def _gone(post_id: int) -> Said:
    return Said([_("There is no post %(id)s any more, so it was not moved.") % {"id": post_id}], is_refused=True)


def _refused(post: Post, lines: list[str]) -> Said:
    return Said([_("“%(post)s” was not moved.") % {"post": post}, *lines], is_refused=True)


def _lines_of(error: ServiceError) -> list[str]:
    if isinstance(error, ValidationFailed):
        return [f"{problem.message}." for problem in error.problems]
    text = str(error)
    return [text if text.endswith(".") else f"{text}."]


def _when(post: Post, zone: str) -> str:
    if post.scheduled_at is None:
        return "–"
    local = post.scheduled_at.astimezone(ZoneInfo(zone or "UTC"))
    return f"{date_format(local, 'D j M Y')}, {local:%H:%M} ({zone})"


def _shown(request: HttpRequest) -> QueryDict:
    """Return the query of the calendar that the person looks at, which every form of it carries."""
    return QueryDict((request.POST.get("shown") or request.GET.get("shown") or "")[:500])


def _is_part(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"
