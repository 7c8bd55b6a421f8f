"""An explanation names no blocker exactly when a claim takes the job: random jobs behind random gates, both asked.

``FAULT_ROUNDS`` multiplies the examples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from queue_app import claims, clock, limits, registry, workers
from queue_app.claims import Claim
from queue_app.database import alias, atomic
from queue_app.explain import Explanation, explain
from queue_app.models import PRIORITY_LAST, Block, BlockKind, Breaker, Job, Limit, Worker
from queue_app.states import JobState

EXAMPLES = 60 * int(os.environ.get("FAULT_ROUNDS", "1"))
PLAIN, GUARDED, GONE = "exactly.plain", "exactly.guarded", "exactly.gone"
ACCOUNT, PLATFORM = "account:1", "platform:x"
KEYS = ["all", "queue:default", f"type:{GUARDED}", ACCOUNT, PLATFORM, "account:2"]
LIMITS = {PLATFORM: "2/h", "account:*": "1/30m 3/d", f"type:{PLAIN}": "1/h"}
LIMIT_NAMES = [PLATFORM, ACCOUNT, f"type:{PLAIN}", f"{GUARDED} {PLATFORM}"]
LOTS = [*KEYS, *(limits.LOT + name for name in LIMIT_NAMES), f"breaker:{ACCOUNT}"]
OF_WORKERS = {"no_worker", "unknown_type"}

# Minutes from now; none is so near that it could pass while the two are asked.
minutes = st.sampled_from([-1500, -45, -5, 5, 45])
maybe_minutes = st.none() | minutes


@dataclass(frozen=True)
class BreakerCase:
    """A breaker: open until then, and the job that probes it, under which fence."""

    open_until: int | None
    trips: int
    probe: str
    right_fence: bool


@dataclass(frozen=True)
class Case:
    """A job, what stands around it, and the one worker there is. ``parked`` are limits with another job in their lot,
    and whether that one comes first."""

    type: str
    queue: str
    keys: list[str]
    priority: int
    state: JobState
    run_at: int
    expires_at: int | None
    parked_by: str
    blocks: list[tuple[str, BlockKind, int | None, int | None]]
    limits: list[str]
    uses: dict[str, list[int]]
    parked: dict[str, bool]
    breaker: BreakerCase | None
    knows: list[str]
    serves: list[str]
    lives: bool


breaker_cases = st.builds(
    BreakerCase,
    open_until=maybe_minutes,
    trips=st.integers(0, 2),
    probe=st.sampled_from(["", "self", JobState.RUNNING, JobState.PENDING, JobState.COMPLETED]),
    right_fence=st.booleans(),
)
often = st.sampled_from([*[True] * 7, False])


def seldom(usual: Any, others: st.SearchStrategy[Any], one_in: int) -> st.SearchStrategy[Any]:
    """Return ``usual``, and once in a while one of ``others``: most cases have few reasons to wait, so that some have
    none."""
    return st.integers(1, one_in).flatmap(lambda number: others if number == one_in else st.just(usual))


cases = st.builds(
    Case,
    type=seldom(GUARDED, st.sampled_from([PLAIN, GONE]), 3),
    queue=st.sampled_from(["default", "default", "other"]),
    keys=st.lists(st.sampled_from([ACCOUNT, PLATFORM]), unique=True),
    priority=st.integers(1, 10),
    state=seldom(JobState.PENDING, st.sampled_from(JobState), 8),
    run_at=seldom(-5, st.sampled_from([-45, 5]), 6),
    expires_at=seldom(None, st.sampled_from([45, -1]), 3),
    parked_by=seldom("", st.sampled_from(LOTS), 5),
    blocks=st.lists(
        st.tuples(st.sampled_from(KEYS), st.sampled_from(BlockKind), maybe_minutes, maybe_minutes),
        max_size=2,
        unique_by=lambda block: block[:2],
    ),
    limits=st.lists(st.sampled_from(list(LIMITS)), unique=True),
    uses=st.dictionaries(st.sampled_from(LIMIT_NAMES), st.lists(st.sampled_from([-1500, -45, -5]), max_size=4)),
    parked=seldom({}, st.dictionaries(st.sampled_from(LIMIT_NAMES), st.booleans()), 3),
    breaker=st.none() | breaker_cases,
    knows=often.map(lambda all_types: [PLAIN, GUARDED] if all_types else [PLAIN]),
    serves=st.sampled_from([["default"], ["default", "other"], ["default", "other"]]),
    lives=often,
)


@pytest.fixture(autouse=True, scope="module")
def _types() -> Iterator[None]:
    registry.job_type(PLAIN)(lambda context: None)
    registry.job_type(GUARDED, limits={"platform:*": "1/h"}, breaker="account:*")(lambda context: None)
    yield
    registry.unregister(PLAIN)
    registry.unregister(GUARDED)


def at(now: datetime, minutes: int | None) -> datetime | None:
    return None if minutes is None else now + timedelta(minutes=minutes)


def stored(now: datetime, **fields: Any) -> Job:
    """Write a job as its state demands."""
    state = fields["state"]
    running = {"lease_until": now + timedelta(minutes=5), "started_at": now} if state == JobState.RUNNING else {}
    marked = {"marked_at": now} if state == JobState.UNCERTAIN else {}
    return Job.objects.create(created_at=now, updated_at=now, **running, **marked, **fields)


def build(case: Case, now: datetime) -> tuple[Job, Worker]:
    """Write the case; return its job and its worker."""
    job = stored(
        now,
        type=case.type,
        queue=case.queue,
        keys=case.keys,
        priority=case.priority,
        state=case.state,
        run_at=at(now, case.run_at),
        expires_at=at(now, case.expires_at),
        parked_by=case.parked_by if case.state == JobState.PENDING else "",
    )
    for key, kind, start, end in case.blocks:
        Block.objects.create(key=key, kind=kind, starts_at=at(now, start), until=at(now, end), created_at=now)
    for name, ages in case.uses.items():
        limit = Limit.objects.create(key=name)
        for age in sorted(ages):
            limits.record([limit], now + timedelta(minutes=age))
    for name, comes_first in case.parked.items():
        Limit.objects.update_or_create(key=name, defaults={"opens_at": now})
        run_at = now + timedelta(minutes=-60 if comes_first else 60)
        stored(
            now,
            type=GONE,
            queue="nobody's",
            state=JobState.PENDING,
            priority=case.priority,
            run_at=run_at,
            parked_by=limits.LOT + name,
        )
    if case.breaker is not None:
        probe = None
        if case.breaker.probe:
            # Another job's queue is nobody's, so that only the one in question could be claimed.
            probing = job if case.breaker.probe == "self" else None
            probe = probing or stored(
                now, type=PLAIN, queue="nobody's", state=case.breaker.probe, run_at=now, priority=PRIORITY_LAST
            )
        Breaker.objects.create(
            key=ACCOUNT,
            trips=case.breaker.trips,
            open_until=at(now, case.breaker.open_until),
            probe=probe,
            probe_fence=0 if case.breaker.right_fence else 7,
        )
    worker = workers.register("cluster", dict.fromkeys(case.serves, 1))
    worker.types, worker.stopped_at = case.knows, None if case.lives else now
    worker.save()
    return job, worker


def claims_it(worker: Worker | None, queues: list[str], types: list[str]) -> bool:
    """Say whether the next claim takes a job; nothing of it stays."""
    with atomic():
        taken = claims.claim_next(dict.fromkeys(queues, 1), worker, types=types, holder="tests")
        transaction.set_rollback(True, using=alias())
    return isinstance(taken, Claim)


def asked(case: Case) -> tuple[Explanation, bool, bool]:
    """Return the explanation, whether the worker takes the job, and whether one would that takes everything."""
    named = {key: LIMITS[key] for key in case.limits}
    with override_settings(SOCIALQ={"LIMITS": named}), atomic():
        now = clock.now()
        job, worker = build(case, now)
        explained = explain(job)
        by_worker = case.lives and claims_it(worker, list(worker.queues), worker.types)
        by_anyone = claims_it(None, [case.queue], [PLAIN, GUARDED])
        if explained.expected_at is not None:
            assert explained.expected_at >= now
            assert job.expires_at is None or explained.expected_at < job.expires_at
        if by_worker:
            assert explained.expected_at is not None
            assert explained.expected_at - now < timedelta(minutes=1)
        transaction.set_rollback(True, using=alias())
    return explained, by_worker, by_anyone


FREE = Case(
    type=GUARDED,
    queue="default",
    keys=[ACCOUNT, PLATFORM],
    priority=5,
    state=JobState.PENDING,
    run_at=-5,
    expires_at=None,
    parked_by="",
    blocks=[],
    limits=list(LIMITS),
    uses={},
    parked={},
    breaker=None,
    knows=[PLAIN, GUARDED],
    serves=["default"],
    lives=True,
)
LONE_REASONS: list[tuple[str, dict[str, Any]]] = [
    ("not_due", {"run_at": 5}),
    ("expired", {"expires_at": -1}),
    ("parked", {"parked_by": ACCOUNT}),
    ("parked", {"parked_by": limits.LOT + PLATFORM}),
    *((state.value, {"state": state}) for state in JobState if state != JobState.PENDING),
    *((kind.value, {"blocks": [(ACCOUNT, kind, None, None)]}) for kind in BlockKind),
    ("maintenance", {"blocks": [("all", BlockKind.MAINTENANCE, -5, 5)]}),
    ("limit", {"uses": {ACCOUNT: [-5]}}),
    ("limit", {"uses": {f"{GUARDED} {PLATFORM}": [-45]}}),
    ("turn", {"parked": {ACCOUNT: True}}),
    ("turn", {"parked": {f"{GUARDED} {PLATFORM}": True}}),
    ("breaker", {"breaker": BreakerCase(5, 1, "", right_fence=True)}),
    ("breaker", {"breaker": BreakerCase(-5, 1, JobState.RUNNING, right_fence=True)}),
    ("unknown_type", {"knows": [PLAIN]}),
    ("unknown_type", {"type": GONE}),
    ("no_worker", {"queue": "other"}),
    ("no_worker", {"lives": False}),
]
NO_REASONS: list[dict[str, Any]] = [
    {},
    {"expires_at": 5},
    {"blocks": [("all", BlockKind.MAINTENANCE, 5, 45), (ACCOUNT, BlockKind.RATE_LIMIT, None, -5)]},
    {"blocks": [("account:2", BlockKind.PAUSE, None, None)]},
    {"uses": {ACCOUNT: [-45], PLATFORM: [-5]}},
    {"limits": [], "uses": {ACCOUNT: [-5]}},
    {"parked": {ACCOUNT: False}},
    {"limits": [], "parked": {ACCOUNT: True}},
    {"breaker": BreakerCase(-5, 1, "", right_fence=True)},
    {"breaker": BreakerCase(5, 1, "self", right_fence=True)},
    {"breaker": BreakerCase(-5, 1, JobState.RUNNING, right_fence=False)},
]


@pytest.mark.django_db
@pytest.mark.parametrize(("code", "change"), LONE_REASONS, ids=str)
def test_each_reason_by_itself_is_told_and_keeps_the_job(code: str, change: dict[str, Any]) -> None:
    explained, by_worker, _by_anyone = asked(replace(FREE, **change))
    assert [blocker.code for blocker in explained.blockers] == [code]
    assert not by_worker


@pytest.mark.django_db
@pytest.mark.parametrize("change", NO_REASONS, ids=str)
def test_what_only_looks_like_a_reason_is_none(change: dict[str, Any]) -> None:
    explained, by_worker, _by_anyone = asked(replace(FREE, **change))
    assert explained.blockers == ()
    assert by_worker


@pytest.mark.django_db
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases)
def test_an_explanation_is_empty_exactly_when_a_claim_takes_the_job(case: Case) -> None:
    explained, by_worker, by_anyone = asked(case)
    event(f"taken: {by_worker}")
    assert (not explained.blockers) == by_worker, explained
    if case.type != GONE:
        of_the_queue = [blocker for blocker in explained.blockers if blocker.code not in OF_WORKERS]
        assert (not of_the_queue) == by_anyone, explained
    assert all(blocker.words for blocker in explained.blockers) or case.state == JobState.COMPLETED
    assert bool(explained.text) == (case.state != JobState.COMPLETED)
