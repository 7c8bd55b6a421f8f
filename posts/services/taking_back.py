"""Taking a post back to a draft: its jobs are cancelled, its time is gone, and it is written on or scheduled anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext

from posts.models import Delivery, DeliveryStatus, Post
from posts.services import access, queueing, telling
from posts.services.errors import Refused
from posts.services.occurrences import mark_changed
from posts.services.schedule import require_version
from posts.services.status import sync_post_status
from posts.services.validation import SETTLED, shown

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Their jobs could still run, or be retried behind the draft's back.
WITH_A_JOB = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD, DeliveryStatus.FAILED)


def unschedule_post(post: Post, *, expected_version: int | None = None, actor: User | None = None) -> Post:
    """Make ``post`` a draft again, whatever waited of it or ended without being sent; return it as stored.

    A delivery keeps its job, cancelled, with its history: scheduling it again retries that. A draft stays as it is.
    Raises Refused where a part of it is live, may be, or is being sent; Conflict, NotAllowed.
    """
    access.require(actor, "cancel_post", post)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        require_version(stored, expected_version)
        deliveries = queueing.deliveries_of(stored)
        for delivery in deliveries:
            _require_unsent(stored, delivery)
        if any(delivery.status != DeliveryStatus.DRAFT for delivery in deliveries):
            _take_back(stored, deliveries, access.name_of(actor))
            mark_changed(stored, actor)
            telling.happened(stored, telling.UPDATED, access.name_of(actor))
    stored.refresh_from_db()
    return stored


def _require_unsent(post: Post, delivery: Delivery) -> None:
    if delivery.status in SETTLED or delivery.live or queueing.may_be_live(delivery):
        raise _sent(post, delivery)


def _take_back(post: Post, deliveries: list[Delivery], actor: str) -> None:
    for delivery in deliveries:
        if delivery.status in WITH_A_JOB and not queueing.cancel_job_of(delivery, actor=actor):
            raise _sent(post, delivery)
    forgotten = {"error_code": "", "error_field": "", "error_message": ""}
    Delivery.objects.filter(post=post).update(status=DeliveryStatus.DRAFT, **forgotten)
    post.scheduled_at, post.wall_time, post.version = None, "", post.version + 1
    post.save(update_fields=["scheduled_at", "wall_time", "version", "updated_at"])
    sync_post_status(post.pk)


def _sent(post: Post, delivery: Delivery) -> Refused:
    status = gettext("partly live") if delivery.live else delivery.get_status_display().lower()
    return Refused(
        gettext("Post %(post)s cannot be a draft again: on %(where)s it is %(status)s. Write a new post instead")
        % {"post": post.pk, "where": shown(delivery.account), "status": status}
    )
