"""What a person does to one delivery: retry, cancel, and settle one of which nobody knows whether it is live.

Each function returns the delivery as stored. Nothing here talks to a platform: a look-up is a job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, URLValidator
from django.utils.translation import gettext

from posts.models import Delivery, DeliveryStatus
from posts.services import access, queueing
from posts.services.errors import Problem, Refused, ValidationFailed
from posts.services.publication import forget_unsettled
from posts.services.status import sync_post_status
from posts.services.validation import problems_of, shown
from queue_app import api, clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.contrib.auth.models import User

    from posts.models import Post

RETRIABLE = (DeliveryStatus.FAILED, DeliveryStatus.EXPIRED, DeliveryStatus.CANCELLED, DeliveryStatus.HELD)
CANCELLABLE = (
    DeliveryStatus.SCHEDULED,
    DeliveryStatus.HELD,
    DeliveryStatus.PUBLISHING,
    DeliveryStatus.NEEDS_REVIEW,
)

_LINK_RULES = (URLValidator(schemes=["http", "https"]), MaxLengthValidator(500))


def retry_delivery(delivery: Delivery, *, actor: User | None = None, even_if_uncertain: bool = False) -> Delivery:
    """Publish a failed, expired, cancelled or held delivery now.

    One that may be live already is sent again only with ``even_if_uncertain``: it could be published twice. Raises
    Refused, ValidationFailed, Conflict, NotAllowed.
    """
    access.require(actor, "retry_post", delivery.post)
    with queueing.one_transaction():
        stored = _locked(delivery)
        if queueing.may_be_live(stored) and not even_if_uncertain:
            raise Refused(
                gettext("%(named)s may already be live, and a retry could publish it twice; look there first")
                % {"named": _named(stored)}
            )
        if stored.status not in RETRIABLE and stored.status != DeliveryStatus.NEEDS_REVIEW:
            raise Refused(
                gettext("%(named)s is %(status)s; there is nothing to retry")
                % {"named": _named(stored), "status": _status(stored)}
            )
        retry_all(stored.post, [stored], actor=actor)
    return _as_stored(delivery)


def cancel_delivery(delivery: Delivery, *, actor: User | None = None) -> Delivery:
    """Cancel a delivery that is not out yet. One that may be live is no longer looked into, and stays wherever it is.

    Raises Refused (it is already being sent, or was settled before), Conflict, NotAllowed.
    """
    access.require(actor, "cancel_post", delivery.post)
    with queueing.one_transaction():
        stored = _locked(delivery)
        if stored.status not in CANCELLABLE:
            raise Refused(
                gettext("%(named)s is %(status)s; there is nothing to cancel")
                % {"named": _named(stored), "status": _status(stored)}
            )
        if not queueing.cancel_job_of(stored, actor=access.name_of(actor)):
            raise Refused(gettext("%(named)s is already being sent; wait for its outcome") % {"named": _named(stored)})
        sync_post_status(stored.post_id, actor=access.name_of(actor))
    return _as_stored(delivery)


def mark_delivery_published(delivery: Delivery, *, url: str, actor: User | None = None) -> Delivery:
    """Record a person's word that a delivery that needs review is live, at ``url`` ("" where it has no address).

    Raises ValidationFailed (``url`` is no web address), Refused, Conflict, NotAllowed.
    """
    access.require(actor, "retry_post", delivery.post)
    url = url.strip()
    if url:
        _require_link(url)
    with queueing.one_transaction():
        job_id = _uncertain_job(_locked(delivery))
        name = access.name_of(actor)
        api.complete_uncertain(job_id, {"id": "", "url": url, "response": {"said_by": name}}, actor=name)
    return _as_stored(delivery)


def check_delivery_again(delivery: Delivery, *, actor: User | None = None) -> Delivery:
    """Have a delivery that needs review looked up on its platform once more; raises Refused, Conflict, NotAllowed."""
    access.require(actor, "retry_post", delivery.post)
    with queueing.one_transaction():
        api.check_again(_uncertain_job(_locked(delivery)))
    return _as_stored(delivery)


def retry_all(post: Post, deliveries: Sequence[Delivery], *, actor: User | None) -> None:
    """Queue ``deliveries`` of a locked post again, for now, if they can be published as they stand."""
    now = clock.now()
    problems = problems_of(post, deliveries)
    if post.expires_at is not None and post.expires_at <= now:
        message = gettext("Post %(post)s was to be dropped after %(expires_at)s UTC; choose a later time first") % {
            "post": post.pk,
            "expires_at": f"{post.expires_at:%Y-%m-%d %H:%M}",
        }
        problems.append(Problem("expires_at", message))
    if problems:
        raise ValidationFailed(problems)
    for delivery in deliveries:
        if delivery.status == DeliveryStatus.NEEDS_REVIEW:
            forget_unsettled(delivery)
        queueing.queue_delivery(delivery, post, at=now, now=now, actor=access.name_of(actor))
    sync_post_status(post.pk, actor=access.name_of(actor))


def _require_link(url: str) -> None:
    try:
        for rule in _LINK_RULES:
            rule(url)
    except ValidationError:
        message = gettext(
            "“%(url)s” is not the link of a post; paste one that starts with https://, or leave it empty"
        ) % {"url": url[:80]}
        raise ValidationFailed([Problem("url", message)]) from None


def _locked(delivery: Delivery) -> Delivery:
    (post,) = queueing.lock_posts([delivery.post_id])
    for stored in queueing.deliveries_of(post):
        if stored.pk == delivery.pk:
            return stored
    raise Refused(
        gettext("The account was taken off post %(post)s meanwhile; there is nothing left to do") % {"post": post.pk}
    )


def _uncertain_job(delivery: Delivery) -> int:
    if delivery.status != DeliveryStatus.NEEDS_REVIEW or delivery.job_id is None:
        raise Refused(
            gettext("%(named)s is %(status)s; only what needs review can be settled")
            % {"named": _named(delivery), "status": _status(delivery)}
        )
    return delivery.job_id


def _as_stored(delivery: Delivery) -> Delivery:
    return Delivery.objects.select_related("account", "job", "post").get(pk=delivery.pk)


def _named(delivery: Delivery) -> str:
    return gettext("Post %(post_id)s on %(shown)s") % {"post_id": delivery.post_id, "shown": shown(delivery.account)}


def _status(delivery: Delivery) -> str:
    return str(delivery.get_status_display()).lower()
