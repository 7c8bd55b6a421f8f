"""Breakers: a key that fails again and again is left alone for a while, then tried with one job at a time.

Closed: everything runs. Open until a time: jobs wait in its lot. Then one job, the probe, decides: its success closes
the breaker, its failure opens it for twice as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from django.db.models import F, Q

from queue_app import clock, conf, parking, registry
from queue_app.database import atomic
from queue_app.models import Breaker, Job
from queue_app.states import JobState

LOT = "breaker:"
ERROR_CHARACTERS = 300


def keys_of(job: Job) -> list[str]:
    """Return the keys of ``job`` whose failures its type has counted."""
    kind = registry.find(job.type)
    if kind is None or not kind.breaker:
        return []
    return sorted(key for key in job.keys if fnmatchcase(key, kind.breaker))


def shut_until(breaker: Breaker, job: Job, now: datetime) -> tuple[bool, datetime | None]:
    """Say whether ``breaker`` keeps ``job`` waiting, and until when (``None``: until its probe has ended)."""
    if breaker.open_until is None or breaker.probe_id == job.pk:
        return False, None
    if breaker.open_until > now:
        return True, breaker.open_until
    return breaker.trips > 0 and _probe_lives(breaker, now), None


def is_half_open(breaker: Breaker) -> bool:
    """Say whether the next job under ``breaker`` is its probe; only of one that does not keep it waiting."""
    return breaker.open_until is not None and breaker.trips > 0


def lock(job: Job) -> None:
    """Lock the breakers of ``job`` until the transaction ends: after the job, before what its hook may lock.

    The claim takes them in that order too, so that no two transactions wait for each other.
    """
    if keys := keys_of(job):
        Job.objects.select_for_update().filter(pk=job.pk).first()
        _locked(keys)


def begin_probe(breaker: Breaker, job: Job) -> None:
    """Let ``job``, just let go or just started, decide over ``breaker``."""
    Breaker.objects.filter(pk=breaker.pk).update(probe=job, probe_fence=job.fence)


def succeeded(job: Job, fence: int, now: datetime) -> None:
    """Note that an execution got an answer: failures are forgotten, and a probe closes its breaker."""
    for breaker in _locked(keys_of(job)):
        if breaker.trips == 0:  # closed, though its lot may not have been emptied yet
            Breaker.objects.filter(pk=breaker.pk, failures__gt=0).update(failures=0)
        elif _is_probe(breaker, job, fence):
            # Its lot is emptied by whoever looks after gates next: at once, in the cluster.
            Breaker.objects.filter(pk=breaker.pk).update(failures=0, trips=0, probe=None, open_until=now)


def failed(job: Job, fence: int, error: str, now: datetime) -> None:
    """Note that an execution failed in a way that speaks against its key; enough of them in a row open the breaker."""
    for key in keys_of(job):
        Breaker.objects.get_or_create(key=key)
    for breaker in _locked(keys_of(job)):
        is_probe = _is_probe(breaker, job, fence)
        values = {"failures": F("failures") + 1, "last_error": error[:ERROR_CHARACTERS]}
        if is_probe or (breaker.trips == 0 and breaker.failures + 1 >= conf.get("BREAKER_FAILURES")):
            seconds = min(conf.get("BREAKER_SECONDS") * 2 ** min(breaker.trips, 30), conf.get("BREAKER_MAX_SECONDS"))
            values |= {"trips": F("trips") + 1, "open_until": now + timedelta(seconds=seconds), "probe": None}
        Breaker.objects.filter(pk=breaker.pk).update(**values)


def gave_no_verdict(job: Job, fence: int) -> None:
    """Note that a probe ended without saying anything about its key: another job probes."""
    Breaker.objects.filter(key__in=keys_of(job), probe=job, probe_fence=fence).update(probe=None)


def let_go(key: str) -> int:
    """Let the jobs of a closed breaker go, or one of a half-open one whose probe is gone; return how many."""
    with atomic():
        breaker = next(iter(_locked([key])), None)
        now = clock.now()
        if breaker is None or breaker.open_until is None:
            return len(parking.let_go(LOT + key))
        if breaker.open_until > now:
            return 0
        if breaker.trips == 0:
            leaving = parking.let_go(LOT + key)
            if len(leaving) < parking.BATCH:
                Breaker.objects.filter(pk=breaker.pk).update(open_until=None)
            return len(leaving)
        if _probe_lives(breaker, now):
            return 0
        leaving = parking.let_go(LOT + key, 1)
        for job in leaving:
            begin_probe(breaker, job)
        return len(leaving)


def close(key: str) -> int:
    """Forget the failures of ``key`` and let its jobs go, at most ``parking.BATCH``; return how many.

    The clusters let go what is left, a batch at a time. A probe that is running decides nothing any more.
    """
    with atomic():
        for breaker in _locked([key]):
            was_open = breaker.open_until is not None
            values = {"failures": 0, "trips": 0, "probe": None, "open_until": clock.now() if was_open else None}
            Breaker.objects.filter(pk=breaker.pk).update(**values)
        return let_go(key)


def state_of(breaker: Breaker, now: datetime) -> str:
    """Return ``closed``, ``open`` or ``probing``: one job is tried, or the next one will be."""
    if breaker.open_until is not None and breaker.open_until > now:
        return "open"
    return "probing" if is_half_open(breaker) else "closed"


def elapsed(now: datetime) -> Iterator[str]:
    """Yield the keys of breakers whose time is over and that have no probe yet."""
    yield from Breaker.objects.filter(open_until__lte=now, probe=None).values_list("key", flat=True)


def _is_probe(breaker: Breaker, job: Job, fence: int) -> bool:
    return breaker.probe_id == job.pk and breaker.probe_fence == fence


def _probe_lives(breaker: Breaker, now: datetime) -> bool:
    if breaker.probe_id is None:
        return False
    # One that nobody takes, for no cluster serves its queue, keeps the key for no longer than this.
    patience = now - timedelta(seconds=conf.get("BREAKER_SECONDS"))
    under_way = Q(state=JobState.RUNNING) | Q(state=JobState.PENDING, updated_at__gt=patience)
    return Job.objects.filter(under_way, pk=breaker.probe_id, fence=breaker.probe_fence).exists()


def _locked(keys: list[str]) -> list[Breaker]:
    return list(Breaker.objects.select_for_update().filter(key__in=keys).order_by("key")) if keys else []
