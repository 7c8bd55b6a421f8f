"""The composer: write, edit, schedule and publish one post on one page. Parses, calls services, renders.

One form that is sent twice makes one post; what is refused saves nothing, and the page keeps what was typed. No
transaction is open while uploads are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse

from posts import conf
from posts.admin import zones
from posts.admin.composer_form import Composer
from posts.admin.people import person_of
from posts.admin.post_actions import PublishNow, Schedule
from posts.models import Post, PostStatus
from posts.selectors.posts import may_see
from posts.services.errors import NotAllowed, ServiceError, ValidationFailed
from posts.services.posts import publish_now, reschedule_post, save_draft, schedule_post
from posts.services.queueing import deliveries_of
from posts.services.submissions import SubmittedAlready, keep_token, post_of_token
from posts.services.validation import notes_of
from queue_app.admin import history
from queue_app.database import atomic

if TYPE_CHECKING:
    from posts.admin.post import PostAdmin

SAVE, SCHEDULE, ATTACH, CHECK = "_save", "_schedule", "_attach", "_check"
PUBLISH, PUBLISH_SURELY = "_publish", "_publish_surely"
# Each button of the form, with the permission it needs beside writing.
BUTTONS: Mapping[str, str] = {
    SAVE: "",
    ATTACH: "",
    CHECK: "",
    SCHEDULE: "posts.schedule_post",
    PUBLISH: "posts.publish_post",
    PUBLISH_SURELY: "posts.publish_post",
}
DONE = {SAVE: "saved", SCHEDULE: "scheduled", PUBLISH_SURELY: "to be published now"}


def compose(admin: PostAdmin, request: HttpRequest, post: Post | None) -> HttpResponse:
    """Show the composer for a new post or one that may be edited; work on what it sends."""
    person = person_of(request)
    asked = request.GET if post is None else {}
    composer = Composer(person, post, zones.usable(asked.get("timezone", "")) or zones.zone_of(person))
    if request.method != "POST":
        if asked.get("at"):
            composer.form.initial["goes_out"] = asked["at"][:40]
        for row in composer.accounts:
            row.chosen = row.chosen or str(row.account.pk) == asked.get("account")
        return _page(admin, request, composer)
    button = next((name for name in BUTTONS if name in request.POST), SAVE)
    if BUTTONS[button] and not person.has_perm(BUTTONS[button]):
        raise PermissionDenied
    taken = _taken_already(request)
    if taken is not None:
        return _arrived(admin, request, taken)
    if not composer.read(request) or button in (ATTACH, CHECK, PUBLISH):
        if button in (CHECK, PUBLISH) and not composer.has_errors:
            composer.judge()
        asks = button == PUBLISH and not composer.has_errors
        checked = button == CHECK and not composer.has_errors
        return _page(admin, request, composer, asks_to_publish=asks, is_checked=checked)
    return _save_and_answer(admin, request, composer, button)


def _save_and_answer(admin: PostAdmin, request: HttpRequest, composer: Composer, button: str) -> HttpResponse:
    """Save and go to the post's page; what is refused is said on the form, which keeps what was typed."""
    try:
        saved = _save(request, composer, button)
    except SubmittedAlready:
        taken = _taken_already(request)
        return _arrived(admin, request, taken) if taken is not None else _page(admin, request, composer)
    except NotAllowed as error:
        raise PermissionDenied(str(error)) from error
    except ValidationFailed as error:
        composer.tell(error.problems)
    except ServiceError as error:
        composer.problems.append(f"{error}.")
    else:
        if saved is not None:
            messages.success(request, f"“{saved}” is {DONE[button]}.")
            for note in notes_of(saved, deliveries_of(saved)):
                messages.warning(request, f"{note.message}")
            return HttpResponseRedirect(reverse("admin:posts_post_change", args=[saved.pk]))
    return _page(admin, request, composer)


def _save(request: HttpRequest, composer: Composer, button: str) -> Post | None:
    """Save, and schedule or publish, in one transaction; ``None`` where a time cannot be used (said in the form)."""
    form, post, person = composer.form, composer.post, composer.person
    at = composer.instant("goes_out", post.scheduled_at if post is not None else None)
    drop = composer.instant("drop_after", post.expires_at if post is not None else None)
    if button == SCHEDULE and at is None and "goes_out" not in form.errors:
        form.add_error("goes_out", "Say when the post goes out; or press Publish now.")
    if form.errors:
        return None
    with atomic():
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
            expected_version=form.cleaned_data["version"],
            actor=person,
        )
        keep_token(saved, form.cleaned_data["token"])
        if button == PUBLISH_SURELY:
            saved = publish_now(saved, actor=person)
        elif at is not None:
            saved = _set_time(saved, composer, button, at)
        history.record(request, saved, ADDITION if post is None else CHANGE, f"{DONE[button].capitalize()}.")
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
    admin.message_user(request, "This form was taken already; this is its post.", messages.INFO)
    return HttpResponseRedirect(reverse("admin:posts_post_change", args=[post.pk]))


def _upload_url() -> str:
    """Return where scripts send pictures; "" on a site without the posts app's addresses."""
    try:
        return reverse("posts:upload")
    except NoReverseMatch:
        return ""


def _page(
    admin: PostAdmin,
    request: HttpRequest,
    composer: Composer,
    *,
    asks_to_publish: bool = False,
    is_checked: bool = False,
) -> HttpResponse:
    post = composer.post
    may = {name: not permission or request.user.has_perm(permission) for name, permission in BUTTONS.items()}
    scheduled = post is not None and post.status == PostStatus.SCHEDULED
    base = admin.page_base(request, post)
    context = {
        **base,
        "buttons": [kind for kind in base.get("buttons", ()) if kind not in (Schedule, PublishNow)],
        "title": "Write a post" if post is None else "Edit post",
        "composer": composer,
        "form": composer.form,
        "asks_to_publish": asks_to_publish,
        "is_checked": is_checked,
        "is_scheduled": scheduled,
        "may_schedule": may[SCHEDULE] and not scheduled,
        "may_publish": may[PUBLISH],
        "may_upload": request.user.has_perm("posts.add_media"),
        "upload_url": _upload_url(),
        "upload_limits": conf.upload_limits(),
    }
    return TemplateResponse(request, "posts/admin/composer.html", context)
