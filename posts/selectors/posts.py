"""Which posts a person sees, and one post with everything that is shown of it. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from posts.models import Account, Delivery, DeliveryStatus, Media, Post, PostStatus
from posts.selectors import deliveries
from posts.selectors.accounts import asks_reconnect

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Person = User | AnonymousUser

SEE_ALL = "posts.view_all_posts"
# So many rows are found by their ids and sorted; a list of which more are wanted is walked in its order.
FEW = 500
# Posts whose pages change by themselves.
MOVING = (PostStatus.SCHEDULED, PostStatus.PUBLISHING, PostStatus.NEEDS_REVIEW)


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """A delivery as people see it. ``account``, ``post`` and ``job`` are ids. ``attempts`` counts executions so far,
    ``None`` if that was forgotten with a purged job."""

    id: int
    account: int
    account_name: str
    platform: str
    platform_label: str
    status: str
    status_label: str
    url: str
    attempts: int | None
    published_at: datetime | None
    explanation: str
    next_step: str
    asks_reconnect: bool = False
    post: int = 0
    job: int | None = None


@dataclass(frozen=True, slots=True)
class PostDetail:
    """A post as people see it, with its deliveries by platform and account."""

    id: int
    status: str
    status_label: str
    text: str
    scheduled_at: datetime | None
    wall_time: str
    timezone: str
    deliveries: tuple[DeliveryDetail, ...]


def visible_posts(person: Person) -> QuerySet[Post]:
    """Return the posts that ``person`` may see: their own, or all with the permission ``posts.view_all_posts``."""
    return Post.objects.all() if person.has_perm(SEE_ALL) else Post.objects.filter(owner=person.pk or 0)


def visible_deliveries(person: Person) -> QuerySet[Delivery]:
    """Return the deliveries of the posts that ``person`` may see."""
    return Delivery.objects.all() if person.has_perm(SEE_ALL) else Delivery.objects.filter(post__owner=person.pk or 0)


def deliveries_in_order(person: Person) -> QuerySet[Delivery]:
    """Return ``visible_deliveries`` for a page of a list: its cost does not grow with how many there are."""
    if person.has_perm(SEE_ALL):
        return Delivery.objects.all()
    own = visible_posts(person)
    few = few_of(own, "pk")
    if few is not None:
        return Delivery.objects.filter(post__in=few)
    return Delivery.objects.filter(Exists(own.filter(pk=OuterRef("post"))))


def having(posts: QuerySet[Post], rows: QuerySet[Any]) -> QuerySet[Post]:
    """Return those of ``posts`` to which one of ``rows`` belongs, for a page of a list as ``deliveries_in_order``."""
    few = few_of(rows, "post")
    return posts.filter(Exists(rows.filter(post=OuterRef("pk")))) if few is None else posts.filter(pk__in=few)


def few_of(rows: QuerySet[Any], column: str) -> list[Any] | None:
    """Return a column of ``rows`` where these are few, else ``None``.

    No planner knows which list is short: SQLite's has no statistics, PostgreSQL's none of what another table says.
    """
    found = list(rows.order_by().values_list(column, flat=True)[: FEW + 1])
    return found if len(found) <= FEW else None


def usable_accounts(person: Person | None) -> QuerySet[Account]:
    """Return the accounts that ``person`` may post to: shared ones, their own, or all with the permission.

    ``None`` is the site itself. Accounts that are disabled or must be reconnected are among them.
    """
    return Account.objects.filter(_shared_or_own(person))


def usable_media(person: Person | None) -> QuerySet[Media]:
    """Return the uploads that ``person`` may attach, by the rule of ``usable_accounts``."""
    return Media.objects.filter(_shared_or_own(person))


def may_see(person: Person, owner_id: int | None) -> bool:
    """Say whether ``person`` may see a post of the owner ``owner_id``."""
    return person.has_perm(SEE_ALL) or (owner_id is not None and owner_id == person.pk)


def post_detail(post_id: int, zone: str = "UTC") -> PostDetail | None:
    """Return the post with its deliveries and why each stands where it does; ``None`` if there is no such post.

    Times that a limit is free again are on the clocks of ``zone``.
    """
    shown = Delivery.objects.select_related("account", "job", "post").order_by("account__platform", "account__name")
    post = Post.objects.prefetch_related(Prefetch("deliveries", shown)).filter(pk=post_id).first()
    if post is None:
        return None
    return PostDetail(
        id=post.pk,
        status=post.status,
        status_label=post.get_status_display(),
        text=post.text,
        scheduled_at=post.scheduled_at,
        wall_time=post.wall_time,
        timezone=post.timezone,
        deliveries=tuple(delivery_detail(delivery, zone) for delivery in post.deliveries.all()),
    )


def delivery_detail(delivery: Delivery, zone: str = "UTC") -> DeliveryDetail:
    """Return where the delivery stands, as people see it. Ask for its ``account``, ``job`` and ``post`` with it."""
    account = delivery.account
    return DeliveryDetail(
        id=delivery.pk,
        account=account.pk,
        account_name=account.name,
        platform=account.platform,
        platform_label=account.platform_label,
        status=delivery.status,
        status_label=delivery.get_status_display(),
        url=delivery.url,
        attempts=_attempts(delivery),
        published_at=delivery.published_at,
        explanation=deliveries.explanation(delivery, zone),
        next_step=deliveries.next_step(delivery),
        asks_reconnect=waits_for_login(delivery),
        post=delivery.post_id,
        job=delivery.job_id,
    )


def waits_for_login(delivery: Delivery) -> bool:
    """Say whether ``delivery`` cannot go out before somebody has reconnected its account."""
    open_still = (DeliveryStatus.DRAFT, *deliveries.WAITING)
    return delivery.status in open_still and asks_reconnect(delivery.account)


def _attempts(delivery: Delivery) -> int | None:
    if delivery.job is not None:
        return delivery.job.attempts
    return 0 if delivery.status == DeliveryStatus.DRAFT else None


def _shared_or_own(person: Person | None) -> Q:
    if person is None or person.has_perm(SEE_ALL):
        return Q()
    return Q(owner=None) | Q(owner=person.pk)
