"""How accounts stand, in words: whether posts can go out, why not and until when, and how many wait. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.models import Account, Delivery, DeliveryStatus
from posts.publishing import registry, words
from queue_app import blocks
from queue_app.models import Block, BlockKind

# An end of access that nobody can put off is told so long ahead.
SOON = timedelta(days=14)
# Whose posts cannot go out before somebody logs in anew. One whose login is over is among them within five minutes.
RECONNECT = Q(enabled=True) & ~Q(reconnect_reason="")
WAITING = (DeliveryStatus.SCHEDULED, DeliveryStatus.HELD)


@dataclass(frozen=True, slots=True)
class Health:
    """Where an account stands: ``state`` for a badge, its ``label``, ``detail`` in a sentence, ``until`` when.

    ``asks_reconnect`` says that only a new login mends it, or will.
    """

    state: str
    label: str
    detail: str = ""
    until: datetime | None = None
    asks_reconnect: bool = False


def label_of_platform(name: str) -> str:
    """Return the platform's name for people."""
    platform = registry.platforms().get(name)
    return platform.label if platform is not None else name


def ends_at(account: Account) -> datetime | None:
    """Return when access ends for good: what is renewed by itself does not, but for the end of renewing."""
    platform = registry.platforms().get(account.platform)
    if platform is None or not platform.refreshes:
        return account.credentials_expire_at
    if account.renewable_until is None:
        return None
    # A login that was renewed for the last time is good to its own end.
    return max(account.renewable_until, account.credentials_expire_at or account.renewable_until)


def ends_by(at: datetime) -> Q:
    """Return the condition of accounts whose ``ends_at`` is at ``at`` or before it."""
    known = registry.platforms()
    renewed = Q(platform__in=[name for name in known if known[name].refreshes])
    over = Q(credentials_expire_at__lte=at)
    return ~renewed & over | renewed & Q(renewable_until__lte=at) & (over | Q(credentials_expire_at=None))


def asks_reconnect(account: Account) -> bool:
    """Say of one account what ``RECONNECT`` asks of many."""
    return account.enabled and account.reconnect_reason != ""


def blocks_of(accounts: Sequence[Account], now: datetime) -> Mapping[str, list[Block]]:
    """Return the blocks that hold now on the accounts and on their platforms, by key. One query."""
    keys = {key for account in accounts for key in _keys(account)}
    found: dict[str, list[Block]] = {}
    for block in blocks.active(sorted(keys), now):
        found.setdefault(block.key, []).append(block)
    return found


def health_of(account: Account, now: datetime, found: Mapping[str, list[Block]] | None = None) -> Health:
    """Return where ``account`` stands; ``found`` are the blocks of ``blocks_of``, for many accounts at once."""
    by_key = blocks_of([account], now) if found is None else found
    holding = [block for key in _keys(account) for block in by_key.get(key, ())]
    label = label_of_platform(account.platform)
    if not account.enabled:
        return Health("disabled", _("Disabled"), _("Nothing is sent; what is scheduled for it waits."))
    end = ends_at(account)
    if end is not None and end <= now:
        reason = words.sentence("login_over", {}, label)
        return Health("reconnect", _("Access has ended"), reason, end, asks_reconnect=True)
    if account.reconnect_reason:
        reason = words.sentence(account.reconnect_reason, {}, label)
        return Health("reconnect", _("Must be reconnected"), reason, asks_reconnect=True)
    for block in holding:
        if block.kind in (BlockKind.PAUSE, BlockKind.MAINTENANCE, BlockKind.RECONNECT, BlockKind.DISABLED):
            return Health("pause", _("Paused"), block.reason, block.until)
    for block in holding:
        if block.kind == BlockKind.RATE_LIMIT:
            detail = block.reason or _("%(platform)s asked to wait.") % {"platform": label}
            return Health("rate_limit", _("Being limited"), detail, block.until)
    if end is not None and end - now <= SOON:
        days = (end - now).days
        told = ngettext("Access ends in %(n)s day", "Access ends in %(n)s days", days) % {"n": days}
        detail = _("Reconnect it before that, and nothing waits.")
        return Health("soon", _("Access ends today") if not days else told, detail, end, asks_reconnect=True)
    return Health("alive", _("Works"))


def waiting_by_account(accounts: Sequence[Account]) -> Mapping[int, int]:
    """Return how many deliveries wait for each account, due or not, by its id. One query."""
    rows = Delivery.objects.filter(account__in=accounts, status__in=WAITING).order_by()
    return dict(rows.values_list("account").annotate(Count("pk")))


def waiting_for(account: Account) -> QuerySet[Delivery]:
    """Return what waits to go out to ``account``, the next first."""
    return Delivery.objects.filter(account=account, status__in=WAITING).order_by("job__run_at", "pk")


def _keys(account: Account) -> tuple[str, str]:
    return account.block_key, f"platform:{account.platform}"
