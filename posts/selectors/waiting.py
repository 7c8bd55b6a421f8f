"""Why a delivery that is due does not go out yet, and until when, in the words of its platform. Reads only."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from posts.models import Account
from queue_app import clock, gates, limits
from queue_app.models import BlockKind, Job
from queue_app.rates import Rate

# A second's limit is over before anybody has read of it.
UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def until_words(job: Job, account: Account, zone: str = "UTC") -> str:
    """Say which limit keeps ``job`` waiting and when it is next free, on the clocks of ``zone``; "" if none does.

    As in "LinkedIn allows 20 a day; next free 14:05 (Europe/Berlin)". Of several the one that lasts longest counts.
    """
    now = clock.now()
    shut = [gate for gate in gates.look(job, now) if gate.until is not None and gate.until > now]
    chief = max(shut, key=lambda gate: gate.until or now, default=None)
    if chief is None or chief.until is None or chief.kind not in (gates.LIMIT, BlockKind.RATE_LIMIT):
        return ""
    said = _limit_words(job, chief, account) if chief.kind == gates.LIMIT else chief.reason.rstrip(".")
    if not said:
        return ""
    return _("%(said)s; next free %(at)s (%(zone)s)") % {
        "said": said,
        "at": _clock(chief.until, now, zone),
        "zone": zone,
    }


def waits_until(job: Job) -> datetime | None:
    """Return when the last known gate before ``job`` opens (aware UTC); ``None`` if nothing shuts it, or for ever."""
    now = clock.now()
    ends = [gate.until for gate in gates.look(job, now)]
    return None if not ends or None in ends else max((end for end in ends if end is not None), default=None)


def _limit_words(job: Job, gate: gates.Shut, account: Account) -> str:
    rates = limits.limits_of(job).get(gate.key, ())
    whose = account.platform_label if gate.key == f"platform:{account.platform}" else str(account)
    allowed = _(" and ").join(rate_words(rate) for rate in rates)
    return _("%(whose)s allows %(allowed)s") % {"whose": whose, "allowed": allowed} if allowed else ""


def rate_words(rate: Rate) -> str:
    """Return a rate as people say it: "20 a day", "25 in 15 minutes"."""
    name, size = next((name, size) for name, size in UNITS if rate.seconds % size == 0)
    length = rate.seconds // size
    each = {"day": _("a day"), "hour": _("an hour"), "minute": _("a minute"), "second": _("a second")}
    if length == 1:
        return f"{rate.count:,} {each[name]}"
    several = {
        "day": ngettext("in %(n)d day", "in %(n)d days", length),
        "hour": ngettext("in %(n)d hour", "in %(n)d hours", length),
        "minute": ngettext("in %(n)d minute", "in %(n)d minutes", length),
        "second": ngettext("in %(n)d second", "in %(n)d seconds", length),
    }
    return f"{rate.count:,} {several[name] % {'n': length}}"


def _clock(at: datetime, now: datetime, zone: str) -> str:
    local, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"
