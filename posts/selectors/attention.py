"""What somebody should look at now, for the banner on every page of the admin. Reads only, a handful of counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from posts.models import Delivery, DeliveryStatus
from posts.selectors.posts import usable_accounts, visible_posts
from queue_app import clock, workers

if TYPE_CHECKING:
    from posts.selectors.posts import Person

FAILED_SINCE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Attention:
    """Deliveries that need review, deliveries that failed in the last seven days, enabled accounts that must be
    reconnected, and whether no worker is alive. False where there is nothing to say."""

    needs_review: int
    failed: int
    reconnect: int
    no_worker: bool

    def __bool__(self) -> bool:
        return bool(self.needs_review or self.failed or self.reconnect or self.no_worker)


def needs_attention(person: Person) -> Attention:
    """Return what ``person`` should look at, of the posts and accounts that they see."""
    now = clock.now()
    deliveries = Delivery.objects.filter(post__in=visible_posts(person))
    failed = deliveries.filter(status=DeliveryStatus.FAILED, job__finished_at__gte=now - FAILED_SINCE)
    return Attention(
        needs_review=deliveries.filter(status=DeliveryStatus.NEEDS_REVIEW, job__needs_review_at__isnull=False).count(),
        failed=failed.count(),
        reconnect=usable_accounts(person).filter(enabled=True).exclude(reconnect_reason="").count(),
        no_worker=not workers.alive(now).exists(),
    )
