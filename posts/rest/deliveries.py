"""Deliveries as programs see them, in the words of their pages in the admin."""

from __future__ import annotations

from typing import Any

from ninja import Router

from posts.models import Delivery
from posts.rest.schemas import DeliveryOut, told_delivery
from posts.selectors.posts import delivery_detail, visible_posts
from queue_app import keys
from queue_app.rest.auth import Access, Request
from queue_app.rest.operations import operation
from queue_app.rest.problems import not_found
from queue_app.rest.schemas import Id

router = Router(tags=["deliveries"])
READS = Access(keys.READ, ("posts.view_delivery", "posts.view_post"))


@operation(router, "GET", "/deliveries/{int:delivery_id}", READS, {200: DeliveryOut})
def get_delivery(request: Request, delivery_id: Id) -> dict[str, Any]:
    """Read where a post stands on one account, why, and what to do next."""
    rows = Delivery.objects.filter(post__in=visible_posts(request.person)).select_related("post", "account", "job")
    found = rows.filter(pk=delivery_id).first()
    if found is None:
        raise not_found()
    return told_delivery(delivery_detail(found))
