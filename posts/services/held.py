"""Posts that an account holds: due, and kept waiting by what its owner has to mend. And letting them go.

Reconnecting in the browser pauses an account that holds some, so that a person sees how many go out, and says when.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from posts.models import Account, Delivery, DeliveryStatus
from posts.services import access
from queue_app import blocks, clock, pauses
from queue_app.models import Block, BlockKind

if TYPE_CHECKING:
    from django.contrib.auth.models import User

KEEPING = (BlockKind.RECONNECT, BlockKind.DISABLED, BlockKind.PAUSE)


@dataclass(frozen=True, slots=True)
class Held:
    """How many of an account's posts are due and wait, how many were dropped since it stood still, since when."""

    waiting: int
    dropped: int
    since: datetime | None


def held_by(account: Account) -> Held:
    """Return what ``account`` holds now: what would go out at once, and what has been dropped because it was late."""
    now = clock.now()
    keeping = Block.objects.filter(key=account.block_key, kind__in=KEEPING)
    since = keeping.order_by("created_at").values_list("created_at", flat=True).first()
    if since is None:
        return Held(0, 0, None)
    own = Delivery.objects.filter(account=account)
    # What is over but not dropped yet will be, before it could go out.
    due = own.filter(status=DeliveryStatus.SCHEDULED, job__run_at__lte=now)
    waiting = due.exclude(job__expires_at__lte=now).count()
    dropped = own.filter(status=DeliveryStatus.EXPIRED, job__finished_at__gte=since).count()
    return Held(waiting, dropped + due.filter(job__expires_at__lte=now).count(), since)


def pause_for_held(account: Account, actor: User | None) -> None:
    """Pause ``account``, in the caller's transaction: what it holds waits for a person. A longer pause stays."""
    blocks.place(
        account.block_key,
        BlockKind.PAUSE,
        now=clock.now(),
        reason=_("Connected again; what was held waits for “Resume” on the account's page."),
        actor=access.name_of(actor),
        may_shorten=False,
    )


def resume_account(account: Account, *, actor: User | None = None) -> None:
    """End the pause of ``account``: what it holds goes out, oldest first, as far as the limits allow."""
    pauses.resume(account.block_key, actor=access.name_of(actor))
