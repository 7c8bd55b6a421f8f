"""The composer: write, edit, schedule and publish one post on one page. Parses, calls services, renders.

One form that is sent twice makes one post; what is refused saves nothing, and the page keeps what was typed. No
transaction is open while uploads are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from posts import conf
from posts.admin import composer_series, when, zones
from posts.admin.composer_conflict import ConflictShown, conflict_of, typed_texts
from posts.admin.composer_form import Composer
from posts.admin.composer_judging import find_duplicates, judge, show
from posts.admin.people import person_of
from posts.admin.post_actions import PublishNow, Schedule
from posts.admin.slots import slot_notes
from posts.media.inspect import EXTENSIONS
from posts.models import Post, PostStatus, Tag
from posts.selectors.posts import may_see
from posts.services.errors import Conflict, NotAllowed, ServiceError, ValidationFailed
from posts.services.posts import publish_now, reschedule_post, save_draft, schedule_post
from posts.services.queueing import deliveries_of
from posts.services.submissions import SubmittedAlready, keep_token, post_of_token
from posts.services.tags import tags_from
from posts.services.validation import notes_of
from queue_app.admin import history
from queue_app.database import atomic

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin

SAVE, SCHEDULE, ATTACH, CHECK, TAKE, NEXT_SLOT = "_save", "_schedule", "_attach", "_check", "_take", "_next_slot"
PUBLISH, PUBLISH_SURELY = "_publish", "_publish_surely"
# The same, once more, by somebody who was told that the text has been, or will be, there already.
SURELY = {"_save_surely": SAVE, "_schedule_surely": SCHEDULE}
# Each button of the form, with the permission it needs beside writing.
BUTTONS: Mapping[str, str] = {
    SAVE: "",
    "_save_surely": "",
    ATTACH: "",
    CHECK: "",
    TAKE: "",
    NEXT_SLOT: "",
    SCHEDULE: "posts.schedule_post",
    "_schedule_surely": "posts.schedule_post",
    PUBLISH: "posts.publish_post",
    PUBLISH_SURELY: "posts.publish_post",
}
SAID = {
    SAVE: gettext_lazy("“%(post)s” is saved."),
    SCHEDULE: gettext_lazy("“%(post)s” is scheduled."),
    PUBLISH_SURELY: gettext_lazy("“%(post)s” is to be published now."),
}
DONE = {SAVE: "Saved.", SCHEDULE: "Scheduled.", PUBLISH_SURELY: gettext_lazy("To be published now.")}
MOST_TAGS_PROPOSED = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page asks or says above the form."""

    publishes: bool = False  # “Publish now?”
    repeats: str = ""  # the button for: the same text is there already, once more all the same?
    is_checked: bool = False
    scope: str = ""  # the button for: this post repeats, this one or all future ones?
    scope_said: str = ""  # what was answered to that
    conflict: ConflictShown | None = None
    typed: Sequence[tuple[str, str]] = ()  # texts that gave way to what somebody else saved


def compose(admin: PostAdmin, request: HttpRequest, post: Post | None) -> HttpResponse:
    """Show the composer for a new post or one that may be edited; work on what it sends."""
    person = person_of(request)
    proposed = request.GET.dict() if post is None else {}
    composer = Composer(person, post, zones.usable(proposed.get("timezone", "")) or zones.zone_of(person))
    if request.method != "POST":
        composer.propose(proposed)
        return _page(admin, request, composer)
    button = next(
        (name for name in BUTTONS if name in request.POST), composer_series.button_of(request, SAVE, SCHEDULE)
    )
    if BUTTONS[button] and not person.has_perm(BUTTONS[button]):
        raise PermissionDenied
    taken = _taken_already(request)
    if taken is not None:
        return _arrived(admin, request, taken)
    if button == TAKE:
        composer.listen(request)
        stored = Composer(person, post, composer.zone)
        return _page(admin, request, stored, Asked(typed=typed_texts(composer)))
    if button == NEXT_SLOT:
        when.fill_next_slot(request, when.chosen_accounts(request, request.POST))
    if not composer.read(request) or button in (ATTACH, NEXT_SLOT):
        return _page(admin, request, composer)
    if SURELY.get(button, button) in (SAVE, SCHEDULE) and composer_series.must_ask(post, request):
        return _page(admin, request, composer, Asked(scope=button))
    asked = _question(composer, button)
    if asked is not None:
        return _page(admin, request, composer, replace(asked, scope_said=request.POST.get(composer_series.SCOPE, "")))
    return _save_and_answer(admin, request, composer, SURELY.get(button, button))


def too_late(admin: PostAdmin, request: HttpRequest, post: Post) -> HttpResponse:
    """Say that ``post`` is on its way or out, so that nothing was saved; what was typed can be copied."""
    person = person_of(request)
    composer = Composer(person, post, zones.zone_of(person))
    composer.listen(request)
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "row": post,
        "title": str(post),
        "typed": typed_texts(composer),
    }
    return TemplateResponse(request, "posts/admin/composer_too_late.html", context)


def _question(composer: Composer, button: str) -> Asked | None:
    """Return what is to be asked before anything is saved, if something is."""
    if button in (CHECK, PUBLISH):
        judge(composer)
        find_duplicates(composer, now=button == PUBLISH)
        show(composer)
        is_good = not composer.has_errors
        return Asked(publishes=is_good and button == PUBLISH, is_checked=is_good and button == CHECK)
    goes_out = button == SCHEDULE or (button == SAVE and _is_scheduled(composer.post))
    if not goes_out or not find_duplicates(composer):
        return None
    judge(composer)
    return Asked(repeats="" if composer.has_errors else f"{button}_surely")


def _save_and_answer(admin: PostAdmin, request: HttpRequest, composer: Composer, button: str) -> HttpResponse:
    """Save and go to the post's page; what is refused is said on the form, which keeps what was typed."""
    asked = Asked()
    try:
        saved = _save(request, composer, button)
    except SubmittedAlready:
        taken = _taken_already(request)
        return _arrived(admin, request, taken) if taken is not None else _page(admin, request, composer)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except ValidationFailed as error:
        composer.tell(error.problems)
    except Conflict as error:
        asked = Asked(conflict=conflict_of(composer, button))
        if asked.conflict is None:
            composer.problems.append(f"{error}.")
    except ServiceError as error:
        composer.problems.append(f"{error}.")
    else:
        if saved is not None:
            messages.success(request, SAID[button] % {"post": saved})
            for text in [
                *(note.message for note in notes_of(saved, deliveries_of(saved))),
                *slot_notes(request, saved),
            ]:
                messages.warning(request, text)
            return HttpResponseRedirect(reverse("admin:posts_post_change", args=[saved.pk]))
    return _page(admin, request, composer, asked)


def _save(request: HttpRequest, composer: Composer, button: str) -> Post | None:
    """Save, and schedule or publish, in one transaction; ``None`` where a time cannot be used (said in the form)."""
    form, post, person = composer.form, composer.post, composer.person
    at = composer.instant("goes_out", post.scheduled_at if post is not None else None)
    drop = composer.instant("drop_after", post.expires_at if post is not None else None)
    if button == SCHEDULE and at is None and "goes_out" not in form.errors:
        form.add_error("goes_out", _("Say when the post goes out; or press Publish now."))
    if form.errors:
        return None
    with atomic():
        composer_series.lock(post, request)
        saved = save_draft(
            post=post,
            owner=person,
            text=form.cleaned_data["text"],
            account_ids=[row.account.pk for row in composer.chosen],
            media=[(picture.media.pk, picture.alt_text) for picture in composer.pictures],
            own_texts={row.account.pk: row.own_text for row in composer.chosen if row.own_text.strip()},
            options={row.account.pk: row.options for row in composer.chosen},
            thread_mode=form.cleaned_data["thread_mode"],
            first_comment=form.cleaned_data["first_comment"],
            language=form.cleaned_data["language"],
            timezone=form.cleaned_data["timezone"],
            priority=form.cleaned_data["priority"],
            expires_at=drop,
            tags=tags_from(form.cleaned_data["tags"]),
            expected_version=form.cleaned_data["version"],
            actor=person,
        )
        keep_token(saved, form.cleaned_data["token"])
        if button == PUBLISH_SURELY:
            saved = publish_now(saved, actor=person)
        elif at is not None:
            saved = _set_time(saved, composer, button, at)
        composer_series.follow(request, composer, saved)
        history.record(request, saved, ADDITION if post is None else CHANGE, str(DONE[button]))
    return saved


def _set_time(saved: Post, composer: Composer, button: str, at: datetime) -> Post:
    """Schedule a draft, or move a scheduled post whose time was changed."""
    form = composer.form
    times: dict[str, Any] = {"at": at, "timezone": form.cleaned_data["timezone"], "actor": composer.person}
    if form.moved("goes_out"):
        times["wall_time"] = form.wall_time("goes_out")
    if saved.status == PostStatus.SCHEDULED:
        return reschedule_post(saved, **times) if form.moved("goes_out") else saved
    return schedule_post(saved, **times) if button == SCHEDULE else saved


def _taken_already(request: HttpRequest) -> Post | None:
    """Return the post that this very form has written before, if the person may see it."""
    try:
        post = post_of_token(UUID(request.POST.get("token", "")))
    except ValueError:
        return None
    return post if post is not None and may_see(person_of(request), post.owner_id) else None


def _arrived(admin: PostAdmin, request: HttpRequest, post: Post) -> HttpResponse:
    admin.message_user(request, _("This form was taken already; this is its post."), messages.INFO)
    return HttpResponseRedirect(reverse("admin:posts_post_change", args=[post.pk]))


def _slot_context(request: HttpRequest) -> dict[str, Any]:
    if NEXT_SLOT not in request.POST:
        return {}
    return when.slot_words(when.chosen_accounts(request, request.POST))


def _upload_url() -> str:
    """Return where scripts send pictures; "" on a site without the posts app's addresses."""
    try:
        return reverse("posts:upload")
    except NoReverseMatch:
        return ""


def _is_scheduled(post: Post | None) -> bool:
    return post is not None and post.status == PostStatus.SCHEDULED


def _page(admin: PostAdmin, request: HttpRequest, composer: Composer, asked: Asked = Asked()) -> HttpResponse:
    post = composer.post
    may = {name: not permission or request.user.has_perm(permission) for name, permission in BUTTONS.items()}
    scheduled = _is_scheduled(post)
    base = admin.page_base(request, post)
    context = {
        **base,
        "buttons": [kind for kind in base.get("buttons", ()) if kind not in (Schedule, PublishNow)],
        "title": pgettext("page", "Write a post") if post is None else pgettext("page", "Edit post"),
        "composer": composer,
        "person": composer.person,
        "form": composer.form,
        "asked": asked,
        "when": when.said(composer.form),
        **composer_series.shown(post),
        **_slot_context(request),
        "is_scheduled": scheduled,
        "may_schedule": may[SCHEDULE] and not scheduled,
        "may_publish": may[PUBLISH],
        "may_upload": request.user.has_perm("posts.add_media"),
        "upload_url": _upload_url(),
        "upload_limits": conf.upload_limits(),
        "upload_types": " ".join(EXTENSIONS),
        "known_tags": Tag.objects.values_list("name", flat=True)[:MOST_TAGS_PROPOSED],
        "zone": composer.zone,
    }
    return TemplateResponse(request, "posts/admin/composer.html", context)
