"""Posts are written, changed, tried and deleted."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db.models import Model
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from posts.models import Post, PostStatus
from posts.rest.composing import change_post, make_post, try_post
from posts.rest.posts import router, shown, visible_post
from posts.rest.problems import field_errors
from posts.rest.schemas import DRAFT, PostChange, PostIn, PostOut
from posts.services import delete_post, queueing
from queue_app import keys
from queue_app.admin import history
from queue_app.rest import etags
from queue_app.rest.auth import Access, Request, require_scope
from queue_app.rest.operations import operation
from queue_app.rest.problems import told_error
from queue_app.rest.schemas import ErrorOut, Id

ADDS = Access(keys.WRITE, ("posts.add_post",))
CHANGES = Access(keys.WRITE, ("posts.change_post", "posts.reschedule_post", "posts.schedule_post"))
DELETES = Access(keys.PUBLISH, ("posts.delete_post",))


class TrialOut(BaseModel):
    """What would become of a post."""

    valid: bool
    errors: list[ErrorOut] = Field(description="What would be refused, where and why.")
    notes: list[ErrorOut] = Field(description="What does not keep it from going out.")


class DeletedOut(BaseModel):
    """What became of a post that was deleted."""

    deleted: bool
    job_removed: bool = Field(description="Whether it was still in the queue.")
    jobs_removed: int


@operation(router, "POST", "/posts", ADDS, {201: PostOut}, versioned=True)
def create_post(request: Request, body: PostIn, response: HttpResponse) -> dict[str, Any]:
    """Write a post: a draft, scheduled, or published now.

    All of it is done or nothing. SCHEDULED and PUBLISHED need the scope `publish`, too.
    """
    if body.scheduled_at or body.status not in (None, DRAFT):
        require_scope(request, keys.PUBLISH)
    with queueing.one_transaction():
        post = make_post(body, request.person)
        record(request, post, ADDITION, _("Made"))
    response["Location"] = reverse("api:get_post", args=[post.pk])
    return shown(request, post)


@operation(router, "POST", "/posts/validate", ADDS, {200: TrialOut}, keeps_answer=False)
def validate_post(request: Request, body: PostIn) -> dict[str, Any]:
    """Try a post and write nothing: what would be refused, where and why.

    A draft is judged as if it went out now.
    """
    trial = try_post(body, request.person)
    errors, notes = (
        [told_error(error) for error in field_errors(found, request.json_body)]
        for found in (trial.problems, trial.notes)
    )
    return {"valid": not errors, "errors": errors, "notes": notes}


@operation(router, "PATCH", "/posts/{int:post_id}", CHANGES, {200: PostOut}, versioned=True)
def update_post(request: Request, post_id: Id, body: PostChange) -> dict[str, Any]:
    """Change a post: its content, its time, or its status.

    What is left out stays. The status DRAFT takes it out of the queue, a time schedules or moves it, PUBLISHED sends it
    now; these need the scope `publish`, too, and so do other accounts for what is no draft. What is out already forbids
    it.
    """
    if body.status or body.scheduled_at or body.timezone is not None:
        require_scope(request, keys.PUBLISH)
    post = visible_post(request, post_id)
    version = etags.expected_version(request, post.version)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])  # what is not named stays as it is now, not as it was read
        if _goes_elsewhere(stored, body):
            require_scope(request, keys.PUBLISH)
        changed = change_post(stored, body, request.person, version)
        if body.named:
            record(request, changed, CHANGE, _("Changed"))
    return shown(request, changed)


@operation(router, "DELETE", "/posts/{int:post_id}", DELETES, {200: DeletedOut}, refuses=(409,), versioned=True)
def remove_post(request: Request, post_id: Id) -> dict[str, Any]:
    """Delete a post, after taking it out of the queue.

    What is live stays on its platform. While it is being sent, or may be live, it is refused.
    """
    post = visible_post(request, post_id)
    version, name = etags.expected_version(request, post.version), str(post)
    with queueing.one_transaction():
        report = delete_post(post, expected_version=version, actor=request.person)
        record(request, Post(), DELETION, _("Deleted"), key=post_id, name=name)
    return {"deleted": True, "job_removed": report.cancelled > 0, "jobs_removed": report.cancelled}


def _goes_elsewhere(post: Post, body: PostChange) -> bool:
    """Say whether a post that is no draft is to get other accounts: that queues it there, or cancels it."""
    if body.accounts is None or post.status == PostStatus.DRAFT:
        return False
    return set(body.accounts) != set(post.deliveries.values_list("account", flat=True))


def record(request: Request, row: Model, flag: int, done: str, *, key: int | str | None = None, name: str = "") -> None:
    """Write a line of the row's history: what the person did through the API, and by which key."""
    way = _("%(done)s through the API.") % {"done": done}
    if request.key is not None:
        way = _("%(done)s through the API, by the key “%(key)s”.") % {"done": done, "key": request.key.name}
    history.record(request, row, flag, way, key=key, name=name)
