"""Deliveries as programs see them, in the words of their pages in the admin, and what is done to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from django.contrib.admin.models import CHANGE
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import BaseModel, Field

from posts.models import Delivery, DeliveryStatus
from posts.rest.acting import PostRetryIn
from posts.rest.schemas import DeliveryOut, DeliveryRow, In, told_delivery, told_delivery_row
from posts.rest.writing import record
from posts.selectors.posts import deliveries_in_order, delivery_detail, visible_deliveries
from posts.services import queueing
from posts.services.deliveries import (
    cancel_delivery,
    check_delivery_again,
    mark_delivery_published,
    retry_delivery,
)
from queue_app import keys
from queue_app.rest.auth import Access, Request
from queue_app.rest.operations import operation
from queue_app.rest.pages import page_of
from queue_app.rest.problems import not_found
from queue_app.rest.schemas import LARGEST_ID, Cursor, Id, Limit, with_examples

router = Router(tags=["deliveries"])
READS = Access(keys.READ, ("posts.view_delivery", "posts.view_post"))
RETRIES = Access(keys.PUBLISH, ("posts.retry_post",))
CANCELS = Access(keys.PUBLISH, ("posts.cancel_post",))


class DeliveriesAsked(BaseModel):
    """Which deliveries, and which page of them."""

    state: str = Field("", pattern=f"^(|{'|'.join(DeliveryStatus.values)})$")
    post: int | None = Field(None, ge=1, le=LARGEST_ID, description="The id of a post.")
    account: int | None = Field(None, ge=1, le=LARGEST_ID, description="The id of an account.")
    platform: str = Field("", max_length=40, examples=["bluesky"])
    cursor: Cursor = ""
    limit: Limit = 50


class DeliveriesOut(BaseModel):
    """A page of deliveries."""

    items: list[DeliveryRow]
    next: str | None = Field(description="The `cursor` of the next page; none at the end.")


class PublishedIn(In):
    """Where a post is live."""

    model_config = with_examples({"url": "https://example.org/posts/1"})

    url: str = Field("", max_length=500, description="Its address there; empty where it has none.")


@operation(router, "GET", "/deliveries", READS, {200: DeliveriesOut})
def list_deliveries(request: Request, asked: Annotated[DeliveriesAsked, Query()]) -> dict[str, Any]:
    """List where posts stand on accounts, the newest first."""
    wanted = {
        "status": asked.state or None,
        "post": asked.post,
        "account": asked.account,
        "account__platform": asked.platform or None,
    }
    found = deliveries_in_order(request.person).select_related("account")
    found = found.filter(**{name: value for name, value in wanted.items() if value is not None})
    page = page_of(found, order="-id", orders={"-id": "-pk"}, cursor=asked.cursor, limit=asked.limit)
    return {"items": [told_delivery_row(each) for each in page.rows], "next": page.next or None}


@operation(router, "GET", "/deliveries/{int:delivery_id}", READS, {200: DeliveryOut})
def get_delivery(request: Request, delivery_id: Id) -> dict[str, Any]:
    """Read where a post stands on one account, why, and what to do next."""
    return told_delivery(delivery_detail(_visible(request, delivery_id)))


@operation(router, "POST", "/deliveries/{int:delivery_id}/retry", RETRIES, {200: DeliveryOut})
def retry_one_delivery(request: Request, delivery_id: Id, body: PostRetryIn | None = None) -> dict[str, Any]:
    """Publish a failed, expired, cancelled or held delivery now."""
    even_if_uncertain = body is not None and body.even_if_uncertain

    def act(delivery: Delivery) -> Delivery:
        return retry_delivery(delivery, actor=request.person, even_if_uncertain=even_if_uncertain)

    return _done(request, delivery_id, act, _("Retried"))


@operation(router, "POST", "/deliveries/{int:delivery_id}/cancel", CANCELS, {200: DeliveryOut})
def cancel_one_delivery(request: Request, delivery_id: Id) -> dict[str, Any]:
    """Cancel a delivery that is not out yet.

    One that may be live is no longer looked into, and stays wherever it is.
    """
    return _done(request, delivery_id, lambda found: cancel_delivery(found, actor=request.person), _("Cancelled"))


@operation(router, "POST", "/deliveries/{int:delivery_id}/mark-published", RETRIES, {200: DeliveryOut})
def mark_one_published(request: Request, delivery_id: Id, body: PublishedIn) -> dict[str, Any]:
    """Say that a delivery that needs review is live, and where."""

    def act(delivery: Delivery) -> Delivery:
        return mark_delivery_published(delivery, url=body.url, actor=request.person)

    return _done(request, delivery_id, act, _("Marked as published"))


@operation(router, "POST", "/deliveries/{int:delivery_id}/check-again", RETRIES, {200: DeliveryOut})
def check_one_again(request: Request, delivery_id: Id) -> dict[str, Any]:
    """Have a delivery that needs review looked up on its platform once more."""
    return _done(
        request, delivery_id, lambda found: check_delivery_again(found, actor=request.person), _("Looked up again")
    )


def _done(request: Request, delivery_id: int, act: Callable[[Delivery], Delivery], said: str) -> dict[str, Any]:
    """Return the delivery after ``act``, which is noted in its history."""
    delivery = _visible(request, delivery_id)
    with queueing.one_transaction():
        stored = act(delivery)
        record(request, stored, CHANGE, said)
    return told_delivery(delivery_detail(stored))


def _visible(request: Request, delivery_id: int) -> Delivery:
    rows = visible_deliveries(request.person).select_related("post", "account", "job")
    found = rows.filter(pk=delivery_id).first()
    if found is None:
        raise not_found()
    return found
