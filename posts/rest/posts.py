"""Posts as programs read them: one with everything, and lists in pages. The other modules add to this router."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils.timezone import get_default_timezone_name
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import BaseModel, Field

from posts.models import Delivery, Post, PostStatus
from posts.rest.schemas import PostOut, PostRow, told_delivery, told_post, told_row
from posts.selectors.calendar import Filters, filtered_posts
from posts.selectors.posts import delivery_detail, visible_posts
from posts.text.wall_time import WallTimeError, parse_wall_time
from queue_app import keys
from queue_app.rest.auth import Access, Request
from queue_app.rest.operations import operation
from queue_app.rest.pages import page_of
from queue_app.rest.problems import FieldError, Problem, not_found
from queue_app.rest.schemas import LARGEST_ID, Cursor, Id, Limit

router = Router(tags=["posts"])
READS = Access(keys.READ, ("posts.view_post",))
# The names of the orders, and their columns.
ORDERS = {"-id": "-pk", "id": "pk", "-scheduled_at": "-scheduled_at", "scheduled_at": "scheduled_at"}
ROW = ("tags", "post_media", "deliveries__account")


class PostsAsked(BaseModel):
    """Which posts, in which order, and which page of them."""

    status: str = Field("", max_length=30, description=f"One of {', '.join(PostStatus.values)}.")
    account: int | None = Field(None, ge=1, le=LARGEST_ID, description="The id of an account.")
    platform: str = Field("", max_length=40, examples=["bluesky"])
    tag: str = Field("", max_length=50)
    since: str = Field("", alias="from", max_length=40, description="Scheduled then or later (ISO 8601, also a day).")
    until: str = Field("", alias="to", max_length=40, description="Scheduled before that.")
    q: str = Field("", max_length=200, description="A part of the text.")
    order: str = Field("-id", max_length=20, description=f"One of {', '.join(ORDERS)}; by time, drafts are left out.")
    cursor: Cursor = ""
    limit: Limit = 50


class PostsOut(BaseModel):
    """A page of posts."""

    items: list[PostRow]
    next: str | None = Field(description="The `cursor` of the next page; none at the end.")


@operation(router, "GET", "/posts", READS, {200: PostsOut})
def list_posts(request: Request, asked: Annotated[PostsAsked, Query()]) -> dict[str, Any]:
    """List the posts that you may see.

    The newest first; rows that are added while you read shift nothing.
    """
    state = asked.status.lower()
    if state and state not in PostStatus.values:
        raise _refused("status", _("There is no such status; there are %(all)s.") % {"all": ", ".join(PostStatus)})
    found = filtered_posts(request.person, Filters(asked.account, asked.platform, asked.tag.lower(), state))
    if asked.since:
        found = found.filter(scheduled_at__gte=_moment("from", asked.since))
    if asked.until:
        found = found.filter(scheduled_at__lt=_moment("to", asked.until))
    if asked.q:
        found = found.filter(text__icontains=asked.q)
    rows = found.select_related("owner").prefetch_related(*ROW)
    page = page_of(rows, order=asked.order, orders=ORDERS, cursor=asked.cursor, limit=asked.limit)
    return {"items": [told_row(post) for post in page.rows], "next": page.next or None}


@operation(router, "GET", "/posts/{int:post_id}", READS, {200: PostOut}, versioned=True)
def get_post(request: Request, post_id: Id) -> dict[str, Any]:
    """Read a post, with where it stands on each account and why."""
    return shown(request, visible_post(request, post_id))


def visible_post(request: Request, post_id: int) -> Post:
    """Return the post, or raise Problem (404) where there is none that the person may see."""
    found = visible_posts(request.person).filter(pk=post_id).first()
    if found is None:
        raise not_found()
    return found


def shown(request: HttpRequest, post: Post) -> dict[str, Any]:
    """Return all that is told of a post as it is stored now, and note its version for the ETag."""
    post = Post.objects.select_related("owner").prefetch_related("tags", "post_media").get(pk=post.pk)
    request.version = post.version  # type: ignore[attr-defined]  # a Request
    rows = Delivery.objects.filter(post=post).select_related("account", "job", "post")
    deliveries = list(rows.order_by("account__platform", "account__name", "pk"))
    overrides = [
        {"account": each.account_id, "text": each.text_override or "", "options": each.options}
        for each in deliveries
        if each.text_override is not None or each.options
    ]
    told = [told_delivery(delivery_detail(each)) for each in deliveries]
    return {**told_post(post), "overrides": overrides, "deliveries": told}


def _moment(name: str, text: str) -> datetime:
    """Return the instant that ``text`` means; a day is where it begins, on the site's clocks."""
    with suppress(ValueError):
        text = f"{date.fromisoformat(text)}T00:00"
    try:
        return parse_wall_time(text, get_default_timezone_name())
    except WallTimeError as error:
        raise _refused(name, str(error)) from None


def _refused(name: str, message: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, message, errors=[FieldError(name, message)])
