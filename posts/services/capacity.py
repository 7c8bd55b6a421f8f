"""How many more posts an account's limits take, now or at a time to come: what networks document, what the site sets.

At a time to come everything that is scheduled until then is taken for sent when it is due. An estimate for people; the
mark and the claim decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from posts.models import Account, Delivery, DeliveryStatus
from posts.publishing import registry
from posts.services.queueing import PUBLISH
from posts.services.standing import label_of
from posts.services.windows import of_window, sent_within
from queue_app import clock, limits
from queue_app.models import Job, Limit, LimitUse
from queue_app.rates import Rate


@dataclass(frozen=True, slots=True)
class Capacity:
    """One limit at one time: ``left`` of ``count`` in a window of ``seconds``, set by ``whose``, for ``what``.

    ``frees_at`` is when the next place that is taken is free again (``None``: none is taken). ``planned`` of the places
    taken are of posts that are still scheduled, ``late`` more of them find no place then.
    """

    whose: str
    what: str
    count: int
    seconds: int
    left: int
    frees_at: datetime | None
    planned: int = 0
    late: int = 0


def capacity(account: Account, at: datetime | None = None) -> list[Capacity]:
    """Return every limit of ``account`` at ``at`` (aware; ``None`` or the past: now)."""
    now = clock.now()
    moment = now if at is None else max(at, now)
    return [*_documented(account, now, moment), *_configured(account, now, moment)]


def _documented(account: Account, now: datetime, moment: datetime) -> Iterator[Capacity]:
    platform = registry.platforms().get(account.platform)
    for window in platform.windows if platform is not None else ():
        rows = of_window(account, window)
        since = moment - timedelta(seconds=window.seconds)
        sent = sent_within(rows, since) if since < now else []
        what = _("this account") if window.scope == "account" else _("all accounts of the app")
        if window.option is not None:
            what = f"{what} ({window.option[1]})"
        planned = _planned(rows, since, now, moment, window.count)
        yield _row(label_of(account), what, window.count, window.seconds, sent, planned)


def _configured(account: Account, now: datetime, moment: datetime) -> Iterator[Capacity]:
    job = Job(type=PUBLISH, keys=[account.block_key, f"platform:{account.platform}"])
    for name, rates in limits.limits_of(job).items():
        limit = Limit.objects.filter(key=name).first()
        key = name.rpartition(" ")[2]
        rows, what = _of_key(account, key)
        for rate in rates:
            since = moment - rate.window
            sent = _starts(limit, rate, since) if since < now else []
            planned = _planned(rows, since, now, moment, rate.count)
            yield _row(_("This site"), what, rate.count, rate.seconds, sent, planned)


def _of_key(account: Account, key: str) -> tuple[QuerySet[Delivery], str]:
    """Return whose deliveries a limit with this key counts, and in words which those are."""
    if key == account.block_key:
        return Delivery.objects.filter(account=account), _("this account")
    if key == f"platform:{account.platform}":
        rows = Delivery.objects.filter(account__platform=account.platform)
        return rows, _("all accounts on %(platform)s") % {"platform": label_of(account)}
    return Delivery.objects.all(), _("all posts") if key.startswith("type:") else _("everything here (%s)") % key


def _starts(limit: Limit | None, rate: Rate, since: datetime) -> list[datetime]:
    if limit is None:
        return []
    newest = LimitUse.objects.filter(limit=limit, at__gt=since).order_by("-number").values_list("at", flat=True)
    return sorted(newest[: rate.count])


def _planned(rows: QuerySet[Delivery], since: datetime, now: datetime, moment: datetime, count: int) -> list[datetime]:
    """Return when scheduled posts take a place until ``moment``: when they are due, or now if that is over."""
    if moment <= now:
        return []
    due = rows.filter(status=DeliveryStatus.SCHEDULED, job__run_at__lte=moment)
    if since > now:
        due = due.filter(job__run_at__gt=since)
    times: Iterable[datetime] = due.order_by("job__run_at").values_list("job__run_at", flat=True).iterator()
    # More than fill the window twice need not be told apart.
    return [max(at, now) for at in islice(times, 2 * count)]


def _row(whose: str, what: str, count: int, seconds: int, sent: list[datetime], planned: list[datetime]) -> Capacity:
    taken = sorted([*sent, *planned])
    oldest = taken[max(0, len(taken) - count)] if taken else None
    return Capacity(
        whose=whose,
        what=what,
        count=count,
        seconds=seconds,
        left=max(0, count - len(taken)),
        frees_at=oldest + timedelta(seconds=seconds) if oldest is not None else None,
        planned=len(planned),
        late=max(0, len(taken) - count),
    )
