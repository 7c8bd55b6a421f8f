"""Deleting an account: what it would meet, to be shown before anybody asks for it, and doing it.

An account with 100,000 posts is counted and its first posts are named; nobody reads more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import ProtectedError, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.models import Account, Delivery, DeliveryStatus, Post, PostStatus, Slot
from posts.selectors.posts import visible_posts
from posts.services import telling
from posts.services.errors import Refused
from posts.services.queueing import one_transaction
from posts.services.standing import login_works
from posts.services.status import sync_post_status
from posts.services.validation import shown
from queue_app import blocks
from queue_app.models import BlockKind

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Person = User | AnonymousUser

NAMED = 20


@dataclass(frozen=True, slots=True)
class DeletionEffects:
    """What deleting an account meets: posts that forbid it, drafts that would lose it, weekly slots that go with it.

    ``posts`` and ``drafts`` are the newest of each that the person may see, ``NAMED`` at most.
    """

    post_count: int
    draft_count: int
    slot_count: int
    posts: tuple[Post, ...]
    drafts: tuple[Post, ...]


def deletion_effects(account: Account, person: Person | None = None) -> DeletionEffects:
    """Return what deleting ``account`` would meet; ``None`` as a person is the site, which sees every post."""
    drafts, others = _drafts(account), _others(account)
    return DeletionEffects(
        others.count(), drafts.count(), Slot.objects.filter(account=account).count(),
        _named(others, person), _named(drafts, person),
    )  # fmt: skip


def delete_account(account: Account) -> DeletionEffects:
    """Delete ``account`` with its credentials and take it off drafts; return what was met.

    Raises Refused while any post has been, is being or will be published to it, and Conflict.
    """
    with one_transaction():
        # Posts before the account, as whoever writes a post for it does: the other way round each would wait for the
        # other. A draft that is begun in between is met below, where its delivery protects the account.
        drafts = Post.objects.select_for_update().filter(pk__in=_drafts(account).values("post")).order_by("pk")
        posts = list(drafts.only("pk"))
        Account.objects.select_for_update().filter(pk=account.pk).first()
        effects = deletion_effects(account)
        if effects.post_count:
            raise Refused(_why_not(account, effects))
        # A post that is nothing but a draft stays one without this account; another's status may change.
        mixed = list(_drafts(account).exclude(post__status=PostStatus.DRAFT).values_list("post_id", flat=True))
        _drafts(account).delete()
        for post in posts:
            telling.happened(post, telling.UPDATED, "")
        for post_id in mixed:
            sync_post_status(post_id)
        key = account.block_key
        login_works(account)
        try:
            account.delete()
        except ProtectedError:  # a post was written or scheduled in between
            raise Refused(_why_not(account, deletion_effects(account))) from None
    for kind in (BlockKind.DISABLED, BlockKind.RECONNECT, BlockKind.RATE_LIMIT, BlockKind.PAUSE):
        blocks.lift(key, kind)
    return effects


def _drafts(account: Account) -> QuerySet[Delivery]:
    return Delivery.objects.filter(account=account, status=DeliveryStatus.DRAFT)


def _others(account: Account) -> QuerySet[Delivery]:
    return Delivery.objects.filter(account=account).exclude(status=DeliveryStatus.DRAFT)


def _named(deliveries: QuerySet[Delivery], person: Person | None) -> tuple[Post, ...]:
    if person is not None:
        deliveries = deliveries.filter(post__in=visible_posts(person))
    return tuple(delivery.post for delivery in deliveries.select_related("post").order_by("-pk")[:NAMED])


def _why_not(account: Account, effects: DeletionEffects) -> str:
    said = ngettext(
        "%(name)s cannot be deleted: %(n)s post goes out to it or has done so.",
        "%(name)s cannot be deleted: %(n)s posts go out to it or have done so.",
        effects.post_count,
    ) % {"name": shown(account), "n": f"{effects.post_count:,}"}
    drafts = ngettext("%(n)s more names it in a draft.", "%(n)s more name it in a draft.", effects.draft_count)
    more = [drafts % {"n": f"{effects.draft_count:,}"}] if effects.draft_count else []
    return " ".join([said, *more, _("Disable it, or delete those posts first.")])
