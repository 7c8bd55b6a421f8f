"""Posts: read one."""

from __future__ import annotations

from typing import Any

from ninja import Router

from posts.models import Delivery, Post
from posts.rest.schemas import PostOut, told_delivery, told_post
from posts.selectors.posts import delivery_detail, visible_posts
from queue_app import keys
from queue_app.rest.auth import Access, Request
from queue_app.rest.operations import operation
from queue_app.rest.problems import not_found
from queue_app.rest.schemas import Id

router = Router(tags=["posts"])
READS = Access(keys.READ, ("posts.view_post",))


@operation(router, "GET", "/posts/{post_id}", READS, {200: PostOut}, versioned=True)
def get_post(request: Request, post_id: Id) -> dict[str, Any]:
    """Read a post, with where it stands on each account and why."""
    return shown(request, visible_post(request, post_id))


def visible_post(request: Request, post_id: int) -> Post:
    """Return the post, or raise Problem (404) where there is none that the person may see."""
    rows = visible_posts(request.person).select_related("owner").prefetch_related("tags", "post_media")
    found = rows.filter(pk=post_id).first()
    if found is None:
        raise not_found()
    return found


def shown(request: Request, post: Post) -> dict[str, Any]:
    """Return all that is told of a post, and note its version for the ETag."""
    request.version = post.version
    deliveries = list(
        Delivery.objects.filter(post=post)
        .select_related("account", "job", "post")
        .order_by("account__platform", "account__name")
    )
    overrides = [
        {"account": each.account_id, "text": each.text_override or "", "options": each.options}
        for each in deliveries
        if each.text_override is not None or each.options
    ]
    told = [told_delivery(delivery_detail(each)) for each in deliveries]
    return {**told_post(post), "overrides": overrides, "deliveries": told}
