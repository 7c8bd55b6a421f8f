"""Many posts in one call: made together, or each for itself; cancelled, retried, moved by their ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from django.contrib.admin.models import ADDITION, CHANGE
from django.utils.timezone import get_default_timezone_name
from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from posts.models import Post
from posts.rest.acting import CANCELS, RETRIES
from posts.rest.composing import due_of, make_post
from posts.rest.posts import router
from posts.rest.problems import field_errors
from posts.rest.schemas import DRAFT, In, Moment, PostIn, Zone
from posts.rest.writing import ADDS, record
from posts.selectors.posts import visible_posts
from posts.services import bulk, queueing
from posts.services.errors import ServiceError, ValidationFailed
from queue_app import clock, keys
from queue_app.mass import Order
from queue_app.rest.auth import Access, Request, require_scope
from queue_app.rest.operations import operation
from queue_app.rest.problems import FieldError, not_found, of_errors, told_error
from queue_app.rest.schemas import ErrorOut, Id, with_examples

MOST_POSTS = 100
MOVES = Access(keys.PUBLISH, ("posts.reschedule_post",))

Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST_POSTS, description="Ids of posts.")]


class PostsIn(In):
    """Posts to be made."""

    model_config = with_examples({"posts": [{"text": "One"}, {"text": "Two"}], "partial": True})

    posts: Annotated[list[PostIn], Field(min_length=1, max_length=MOST_POSTS)]
    partial: bool = Field(False, description="Make those that can be made; else all or none.")


class MadeOut(BaseModel):
    """What became of one of them: the post, or why there is none."""

    id: int | None
    state: str
    errors: list[ErrorOut]


class MadePostsOut(BaseModel):
    """What became of them, in their order."""

    made: int
    items: list[MadeOut]


class IdsIn(In):
    """Which posts."""

    model_config = with_examples({"ids": [1, 2, 3]})

    ids: Ids


class MoveIn(IdsIn):
    """Which posts, and to when."""

    model_config = with_examples({"ids": [1, 2], "scheduled_at": "2030-01-31T09:30", "interval_minutes": 60})

    scheduled_at: Moment
    timezone: Zone = ""
    interval_minutes: int = Field(0, ge=0, le=10_000_000, description="How much later each further one is due.")


class RefusedOut(BaseModel):
    """A post that is as it was, and why."""

    id: int
    detail: str


class DoneOut(BaseModel):
    """How many posts it was done to, and which were left as they are."""

    done: int
    refused: list[RefusedOut]


@operation(router, "POST", "/posts/bulk", ADDS, {201: MadePostsOut})
def create_posts(request: Request, body: PostsIn) -> dict[str, Any]:
    """Write up to 100 posts: all of them or none, or with `partial` those that can be.

    Each is judged as by itself. SCHEDULED and PUBLISHED need the scope `publish`, too.
    """
    if any(each.scheduled_at or each.status not in (None, DRAFT) for each in body.posts):
        require_scope(request, keys.PUBLISH)
    if body.partial:
        items = [_made(request, place, each) for place, each in enumerate(body.posts)]
        errors = [error for item in items for error in item["errors"]]
    else:
        items, errors = _all_or_none(request, body.posts)
    if not any(item["id"] for item in items):
        raise of_errors(errors)
    told = [{**item, "errors": list(map(told_error, item["errors"]))} for item in items]
    return {"made": sum(item["id"] is not None for item in items), "items": told}


@operation(router, "POST", "/posts/bulk/cancel", CANCELS, {200: DoneOut})
def cancel_posts(request: Request, body: IdsIn) -> dict[str, Any]:
    """Take up to 100 posts out of the queue, each for itself."""
    return _done(request, "post.cancel", body.ids, {}, _("Cancelled"))


@operation(router, "POST", "/posts/bulk/retry", RETRIES, {200: DoneOut})
def retry_posts(request: Request, body: IdsIn) -> dict[str, Any]:
    """Publish again, now, what of up to 100 posts failed or expired, each for itself.

    What may be live already is left to be decided one by one.
    """
    return _done(request, "post.retry", body.ids, {}, _("Retried"))


@operation(router, "POST", "/posts/bulk/reschedule", MOVES, {200: DoneOut})
def reschedule_posts(request: Request, body: MoveIn) -> dict[str, Any]:
    """Move up to 100 scheduled posts to another time, spaced in the order of the ids, each for itself."""
    due = due_of(body.scheduled_at, body.timezone or get_default_timezone_name())
    answers = {"instant": due.at.isoformat() if due is not None else "", "interval_minutes": body.interval_minutes}
    return _done(request, "post.reschedule_with_spacing", body.ids, answers, _("Moved"))


def _all_or_none(request: Request, bodies: list[PostIn]) -> tuple[list[dict[str, Any]], list[FieldError]]:
    """Make them all in one transaction. Raises Problem with all that is wrong, and nothing is made."""
    with queueing.one_transaction():
        items = [_made(request, place, each) for place, each in enumerate(bodies)]
        errors = [error for item in items for error in item["errors"]]
        if errors:
            raise of_errors(errors)
    return items, errors


def _made(request: Request, place: int, body: PostIn) -> dict[str, Any]:
    """Make one post; return its id and state, and what is wrong with paths that lead to it."""
    try:
        with queueing.one_transaction():
            post = make_post(body, request.person)
            record(request, post, ADDITION, _("Made"))
    except ServiceError as error:
        found = [FieldError("", str(error))]
        if isinstance(error, ValidationFailed):
            found = field_errors(error.problems, request.json_body["posts"][place])
        paths = [FieldError(f"posts.{place}.{each.path}".rstrip("."), each.message, each.account) for each in found]
        return {"id": None, "state": "", "errors": paths}
    return {"id": post.pk, "state": post.status, "errors": []}


def _done(request: Request, name: str, ids: list[int], answers: Mapping[str, Any], said: str) -> dict[str, Any]:
    """Do it to each of the posts that the person may see; return how many it was done to, and why not to the others."""
    ids = list(dict.fromkeys(ids))
    seen = set(visible_posts(request.person).filter(pk__in=ids).values_list("pk", flat=True))
    order = Order(name, request.person.get_username(), clock.now(), answers)
    report = bulk.carry_out(order, [post_id for post_id in ids if post_id in seen], 0)
    refused = dict.fromkeys((post_id for post_id in ids if post_id not in seen), not_found().detail)
    refused |= {post_id: why for post_id, (_name, why) in zip(report.skipped_ids, report.skipped, strict=True)}
    if report.done:
        record(request, Post(), CHANGE, said, key="", name=f"{report.done:,} {Post._meta.verbose_name_plural}")
    return {"done": report.done, "refused": [{"id": post_id, "detail": why} for post_id, why in refused.items()]}
