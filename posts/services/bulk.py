"""One operation on very many posts or deliveries that a person chose, in parts that jobs of the queue work through.

Owns which operations there are and which rows each takes. Every change goes through the services, with the person's
permissions as they are when it is done. What may be live is left alone: a person decides about each by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts.models import Delivery, DeliveryStatus, Post
from posts.services import deliveries, posts, series
from posts.services.errors import Refused, ServiceError
from posts.services.schedule import reschedule_post
from queue_app import api
from queue_app.mass import Order, Progress, words_of
from queue_app.new_jobs import NewJob
from queue_app.people import person_called

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BULK_OPERATION = "posts.bulk_operation"
PART_ROWS = 100
REASONS_KEPT = 20
# What the question of cancelling and deleting calls a post of a series and all that come after it.
FUTURE = "future"
CHANGED = _("it has changed since this was asked for")


@dataclass(frozen=True, slots=True)
class Place:
    """Which of all the chosen rows one is, counted from 0, and who asked for it."""

    number: int
    actor: User


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done to many rows of ``model``: which it takes, in which order, and the step of each."""

    model: type[Post | Delivery]
    able: Q
    order: tuple[str, ...]
    step: Callable[[Any, Order, Place], object]


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a part: how many were done, and the names of the others with why they are as they were; and the
    ids of these."""

    done: int
    skipped: tuple[tuple[str, str], ...]
    skipped_ids: tuple[int, ...] = ()

    def as_result(self) -> dict[str, Any]:
        """Return it as a job's result is kept."""
        why = [f"{name}: {reason}" for name, reason in self.skipped[:REASONS_KEPT]]
        return {"done": self.done, "skipped": len(self.skipped), "why": why}


def hand_over(order: Order, ids: Sequence[int]) -> Progress:
    """Enqueue jobs that do it to these rows, a part each, in the caller's transaction."""
    noun = str(OPERATIONS[order.operation].model._meta.verbose_name_plural)
    name = f"{order.operation}-{uuid.uuid4().hex[:8]}"
    starts = range(0, len(ids), PART_ROWS)
    args = {
        "operation": order.operation,
        "actor": order.actor,
        "asked_at": order.asked_at.isoformat(),
        "answers": {key: _plain(value) for key, value in order.answers.items()},
    }
    facts = {"parts": len(starts), "jobs": len(ids), "noun": noun}
    parts = (
        NewJob(
            args={**args, "job_ids": list(ids[start : start + PART_ROWS]), "first": start},
            target_id=name,
            metadata={**facts, "part": number},
        )
        for number, start in enumerate(starts, 1)
    )
    api.enqueue_many(BULK_OPERATION, parts, actor=order.actor)
    return Progress(name, words_of(order.operation, len(ids), order.actor, noun), len(starts), len(starts), 0)


def carry_out(order: Order, ids: Sequence[int], first: int) -> Report:
    """Do it to the rows of these ids, each in a transaction of its own; ``first`` is the place of the first of them."""
    operation = OPERATIONS[order.operation]
    person = person_called(order.actor)
    actor = person if person is not None and person.is_active else None
    rows = operation.model._default_manager.in_bulk(ids)  # noqa: SLF001 -- Django's documented name
    done, skipped, skipped_ids = 0, [], []
    for number, row_id in enumerate(ids, first):
        row = rows.get(row_id)
        name = str(row) if row is not None else f"{operation.model._meta.verbose_name} {row_id}"
        try:
            if actor is None:
                raise Refused(gettext("%(actor)s no longer works here") % {"actor": order.actor})
            if row is None:
                raise Refused(gettext("it is gone"))
            operation.step(row, order, Place(number, actor))
        except ServiceError as refusal:
            skipped.append((name, str(refusal)))
            skipped_ids.append(row_id)
        else:
            done += 1
    return Report(done, tuple(skipped), tuple(skipped_ids))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _has(*statuses: DeliveryStatus) -> Exists:
    return Exists(Delivery.objects.filter(post=OuterRef("pk"), status__in=statuses))


def _require_unchanged(found: Any, order: Order) -> None:
    # A part that is run again must not send a second time what has ended again since.
    if found.filter(job__updated_at__gt=order.asked_at).exists():
        raise Refused(CHANGED)


def _means_future(post: Post, order: Order) -> bool:
    return post.recurrence_id is not None and order.answers.get("scope") == FUTURE


def _cancel_post(post: Post, order: Order, place: Place) -> None:
    if _means_future(post, order):
        # One that is cancelled went with an earlier one.
        if post.deliveries.filter(status__in=posts.CANCELLED).exists():
            series.cancel_future(post, actor=place.actor)
        return
    report = posts.cancel_post(post, actor=place.actor)
    if report.cancelled:
        return
    if report.refused:
        raise Refused(gettext("it is already being sent, or may be live"))
    raise Refused(gettext("it is %(status)s, nothing of it waits") % {"status": post.get_status_display().lower()})


def _retry_post(post: Post, order: Order, place: Place) -> None:
    _require_unchanged(post.deliveries.filter(status__in=posts.RETRIED), order)
    posts.retry_post(post, actor=place.actor)


def _reschedule_post(post: Post, order: Order, place: Place) -> None:
    first_at = datetime.fromisoformat(str(order.answers["instant"]))
    try:
        at = first_at + timedelta(minutes=place.number * int(order.answers["interval_minutes"]))
    except OverflowError:
        raise Refused(gettext("its turn is more than ten years ahead")) from None
    reschedule_post(post, at=at, actor=place.actor)


def _delete_post(post: Post, order: Order, place: Place) -> None:
    if _means_future(post, order):
        if Post.objects.filter(pk=post.pk).exists():
            series.delete_future(post, actor=place.actor)
        return
    posts.delete_post(post, actor=place.actor)


def _cancel_delivery(delivery: Delivery, _order: Order, place: Place) -> None:
    deliveries.cancel_delivery(delivery, actor=place.actor)


def _retry_delivery(delivery: Delivery, order: Order, place: Place) -> None:
    _require_unchanged(Delivery.objects.filter(pk=delivery.pk), order)
    deliveries.retry_delivery(delivery, actor=place.actor)


_UNDER_WAY = (DeliveryStatus.PUBLISHING, DeliveryStatus.NEEDS_REVIEW)
_STOPPABLE = tuple(status for status in deliveries.CANCELLABLE if status != DeliveryStatus.NEEDS_REVIEW)
# By the name of the list's action, with the kind of row before it.
OPERATIONS: Mapping[str, Operation] = {
    "post.cancel": Operation(Post, Q(_has(*posts.CANCELLED)), ("pk",), _cancel_post),
    "post.retry": Operation(Post, Q(_has(*posts.RETRIED)), ("pk",), _retry_post),
    "post.reschedule_with_spacing": Operation(
        Post, Q(_has(DeliveryStatus.SCHEDULED)), ("scheduled_at", "pk"), _reschedule_post
    ),
    "post.delete": Operation(Post, ~Q(_has(*_UNDER_WAY)), ("pk",), _delete_post),
    "delivery.cancel": Operation(Delivery, Q(status__in=_STOPPABLE), ("pk",), _cancel_delivery),
    "delivery.retry": Operation(Delivery, Q(status__in=deliveries.RETRIABLE), ("pk",), _retry_delivery),
}
