"""What a person does to a whole post: retry, cancellation, deletion; and the place to import all its services from.

Writing is in ``drafts``, times are in ``schedule`` and ``spacing``; single deliveries in ``deliveries``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from posts.models import Delivery, DeliveryStatus, Post
from posts.services import access, queueing, telling
from posts.services.deliveries import retry_all
from posts.services.drafts import save_draft
from posts.services.errors import Refused
from posts.services.occurrences import mark_changed
from posts.services.schedule import publish_now, require_version, reschedule_post, schedule_post
from posts.services.spacing import queue_posts, reschedule_with_spacing
from posts.services.status import sync_post_status
from posts.services.taking_back import unschedule_post
from posts.services.validation import shown

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "CancelReport",
    "cancel_post",
    "delete_post",
    "publish_now",
    "queue_posts",
    "reschedule_post",
    "reschedule_with_spacing",
    "retry_post",
    "save_draft",
    "schedule_post",
    "unschedule_post",
]

RETRIED = (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED)
CANCELLED = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD, DeliveryStatus.PUBLISHING)


@dataclass(frozen=True, slots=True)
class CancelReport:
    """How many deliveries were ``cancelled``, and those ``refused`` because they are being sent or may be live."""

    cancelled: int
    refused: list[Delivery] = field(default_factory=list)


def cancel_post(post: Post, *, actor: User | None = None) -> CancelReport:
    """Cancel every delivery of ``post`` that waits or has not been sent; raises Conflict, NotAllowed."""
    access.require(actor, "cancel_post", post)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        mark_changed(stored, actor)
        return _cancel(stored, access.name_of(actor))


def retry_post(post: Post, *, actor: User | None = None, even_if_uncertain: bool = False) -> list[Delivery]:
    """Publish now what of ``post`` failed or expired; return those deliveries.

    What may be live is among them only with ``even_if_uncertain``: it could be published twice. Raises Refused if
    there is nothing to retry, ValidationFailed, Conflict, NotAllowed.
    """
    access.require(actor, "retry_post", post)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        deliveries = queueing.deliveries_of(stored)
        wanted = [found for found in deliveries if found.status in (*RETRIED, DeliveryStatus.NEEDS_REVIEW)]
        uncertain = [delivery for delivery in wanted if queueing.may_be_live(delivery)]
        chosen = wanted if even_if_uncertain else [delivery for delivery in wanted if delivery not in uncertain]
        if not chosen and uncertain:
            where = ", ".join(shown(delivery.account) for delivery in uncertain)
            raise Refused(
                gettext(
                    "Post %(post)s may already be live on %(where)s, and a retry could publish it twice; look there"
                )
                % {"post": post.pk, "where": where}
            )
        if not chosen:
            raise Refused(
                gettext("Nothing of post %(post)s has failed or expired, so there is nothing to retry")
                % {"post": post.pk}
            )
        retry_all(stored, chosen, actor=actor)
        return list(Delivery.objects.filter(pk__in=[d.pk for d in chosen]).select_related("account", "job", "post"))


def delete_post(post: Post, *, expected_version: int | None = None, actor: User | None = None) -> CancelReport:
    """Cancel what of ``post`` waits and delete it; return what was cancelled. What is live stays on its platform.

    Raises Refused while any of it is being published or needs review, Conflict, NotAllowed.
    """
    access.require(actor, "delete_post", post)
    with queueing.one_transaction():
        (stored,) = queueing.lock_posts([post.pk])
        require_version(stored, expected_version)
        for delivery in queueing.deliveries_of(stored):
            where = shown(delivery.account)
            if delivery.status == DeliveryStatus.PUBLISHING:
                raise Refused(
                    gettext("Post %(post)s is being published on %(where)s right now; delete it when that is over")
                    % {"post": post.pk, "where": where}
                )
            if delivery.status == DeliveryStatus.NEEDS_REVIEW:
                raise Refused(
                    gettext("Post %(post)s may already be live on %(where)s; settle that on its delivery's page first")
                    % {"post": post.pk, "where": where}
                )
        report = _cancel(stored, access.name_of(actor))
        stored.refresh_from_db(fields=["status"])
        telling.deleted(stored, access.name_of(actor))
        stored.delete()
        return report


def _cancel(post: Post, actor: str) -> CancelReport:
    """Cancel what can be of a locked post."""
    cancelled, refused = 0, []
    for delivery in queueing.deliveries_of(post):
        if delivery.status in CANCELLED and queueing.cancel_job_of(delivery, actor=actor):
            cancelled += 1
        elif delivery.status in (*CANCELLED, DeliveryStatus.NEEDS_REVIEW):
            refused.append(delivery)
    sync_post_status(post.pk, actor=actor)
    return CancelReport(cancelled, refused)
