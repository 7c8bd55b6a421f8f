"""What somebody should look at now: for the banner on every page, the dashboard, and the lists that these lead to.

One condition each, so that a number and the list behind it agree. Reads only, a handful of counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from posts.models import Delivery, DeliveryStatus
from posts.selectors.accounts import RECONNECT
from posts.selectors.posts import SEE_ALL, usable_accounts, visible_posts
from queue_app import clock, conf
from queue_app.models import Job
from queue_app.planning import PARKED, PENDING, UNPARKED

if TYPE_CHECKING:
    from posts.selectors.posts import Person

FAILED_SINCE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Attention:
    """Deliveries that need review, deliveries that failed in the last seven days, and enabled accounts that must be
    reconnected. False where there is nothing to say."""

    needs_review: int
    failed: int
    reconnect: int

    def __bool__(self) -> bool:
        return bool(self.needs_review or self.failed or self.reconnect)


def review() -> Q:
    """Return the condition of deliveries that a person must decide about; what is still looked up is none of them."""
    return Q(status=DeliveryStatus.NEEDS_REVIEW, job__needs_review_at__isnull=False)


def failed(now: datetime) -> Q:
    """Return the condition of deliveries that failed lately."""
    return Q(status=DeliveryStatus.FAILED, job__finished_at__gte=now - FAILED_SINCE)


def late(now: datetime) -> Q:
    """Return the condition of deliveries that have been due for too long and are not out, whatever keeps them."""
    since = Q(run_at__lte=now - timedelta(seconds=conf.get("LATE_SECONDS")))
    # The queue's two indexes of what waits know the time: past posts, most of all there are, are not looked through.
    waiting = [Job.objects.filter(PENDING, UNPARKED, since), Job.objects.filter(PARKED, since)]
    found = Q(job__in=waiting[0].values("pk")) | Q(job__in=waiting[1].values("pk"))
    return Q(status__in=(DeliveryStatus.SCHEDULED, DeliveryStatus.HELD)) & found


def needs_attention(person: Person) -> Attention:
    """Return what ``person`` should look at, of the posts and accounts that they see."""
    deliveries = visible_deliveries(person)
    return Attention(
        needs_review=deliveries.filter(review()).count(),
        failed=deliveries.filter(failed(clock.now())).count(),
        reconnect=usable_accounts(person).filter(RECONNECT).count(),
    )


def late_count(person: Person) -> int:
    """Return how many deliveries of the posts that ``person`` sees are late."""
    return visible_deliveries(person).filter(late(clock.now())).count()


def visible_deliveries(person: Person) -> QuerySet[Delivery]:
    """Return the deliveries of the posts that ``person`` sees."""
    return (
        Delivery.objects.all() if person.has_perm(SEE_ALL) else Delivery.objects.filter(post__in=visible_posts(person))
    )
