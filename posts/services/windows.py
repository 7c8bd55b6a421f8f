"""The windows that networks document: at most so many posts of an account, or of the whole app, in so long.

Counted in posts that are out, not in executions, so that polling and retries use nothing up. Checked in the
transaction of the mark, with the account locked: two workers cannot both take the last place.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from posts.models import Account, Delivery
from posts.publishing import registry
from posts.publishing.capabilities import Window
from posts.publishing.errors import RateLimited
from posts.selectors.platforms import window_words
from queue_app import clock
from queue_app.states import JobState


def require_room(delivery: Delivery) -> None:
    """Raise RateLimited, until the next place is free, where a window of the delivery's platform is full.

    Call it inside the transaction that marks the delivery's job.
    """
    account = delivery.account
    platform = registry.platforms().get(account.platform)
    windows = tuple(
        window
        for window in (platform.windows if platform is not None else ())
        if window.option is None or delivery.options.get(window.option[0]) == window.option[1]
    )
    if not windows:
        return
    _lock(account, windows)
    now = clock.now()
    for window in windows:
        until = _free_at(account, window, now, besides=delivery.pk)
        if until is not None:
            scope = window.scope if window.option is None else "post"  # others may go out without that choice
            raise RateLimited("window_full", until=until, scope=scope, window=window_words(window))


def _lock(account: Account, windows: tuple[Window, ...]) -> None:
    """Lock what shares a place: the account, or for an app's window all accounts of the platform, in order."""
    rows = Account.objects.filter(platform=account.platform)
    if all(window.scope == "account" for window in windows):
        rows = rows.filter(pk=account.pk)
    # Not their keys: who writes a post for several of them holds those, in the order in which they were chosen.
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _free_at(account: Account, window: Window, now: datetime, *, besides: int) -> datetime | None:
    sent = _sent(account, window, now, besides=besides)
    return sent[-window.count] + timedelta(seconds=window.seconds) if len(sent) >= window.count else None


def _sent(account: Account, window: Window, now: datetime, *, besides: int) -> list[datetime]:
    return sent_within(of_window(account, window), now - timedelta(seconds=window.seconds), besides=besides)


def of_window(account: Account, window: Window) -> QuerySet[Delivery]:
    """Return the deliveries, sent or not, that ``window`` counts for ``account``."""
    rows = Delivery.objects.filter(account__platform=account.platform)
    if window.scope == "account":
        rows = rows.filter(account=account)
    if window.option is not None:
        name, value = window.option
        rows = rows.filter(**{f"options__{name}": value})
    return rows


def sent_within(rows: QuerySet[Delivery], since: datetime, *, besides: int = 0) -> list[datetime]:
    """Return when posts went out after ``since``, oldest first; what is being sent or may be live counts too.

    ``besides`` is the id of a delivery whose own mark does not count.
    """
    sent: list[datetime] = [
        published_at
        for published_at, live in rows.filter(published_at__gt=since).values_list("published_at", "live")
        for _part in range(max(1, len(live)))
        if published_at is not None
    ]
    # Under way, or nobody knows whether it is live: it counts from its mark, like everything else for a while only.
    marked = Q(job__state__in=(JobState.RUNNING, JobState.UNCERTAIN), job__marked_at__gt=since)
    open_ends = rows.filter(published_at=None).filter(marked | ~Q(live=[]))
    for pk, live, state, marked_at in open_ends.values_list("pk", "live", "job__state", "job__marked_at"):
        sent += [datetime.fromisoformat(part["at"]) for part in live if "at" in part]
        if pk != besides and marked_at is not None and state in (JobState.RUNNING, JobState.UNCERTAIN):
            sent.append(marked_at)
    return sorted(at for at in sent if at > since)
