"""Blocks on keys: parking under them, lifting them, and what they do to the mark."""

from __future__ import annotations

from datetime import timedelta

import pytest

from queue_app import api, blocks, clock, gates, parking, pauses, rescue
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import Block, BlockKind, Job
from queue_app.outcomes import BlockRequest, Postpone
from queue_app.states import JobState
from tests.queue_app.jobs import Later, Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "account:7"


def place(key: str, kind: BlockKind = BlockKind.PAUSE, **options: object) -> Block:
    with atomic():
        return blocks.place(key, kind, now=clock.now(), **options)  # type: ignore[arg-type]  # passed on as given


@pytest.mark.parametrize("key", ["all", "queue:default", "type:tests.job", "account:7"])
def test_a_blocked_key_keeps_its_jobs_parked_until_it_is_lifted(register: Register, run: Run, key: str) -> None:
    job = api.enqueue(register(lambda context: None), keys=["account:7"])
    place(key)
    assert run() == 0
    assert (reloaded(job).state, reloaded(job).parked_by, reloaded(job).attempts) == (JobState.PENDING, key, 0)
    assert blocks.lift(key, BlockKind.PAUSE) == 1
    assert run() == 1


def test_a_job_scheduled_after_the_block_is_covered_by_itself(register: Register, run: Run) -> None:
    place("account:7")
    job = api.enqueue(register(lambda context: None), keys=["account:7"])
    assert run() == 0
    assert reloaded(job).parked_by == "account:7"


def test_lifting_one_of_two_blocks_on_a_key_lets_nothing_go(register: Register, run: Run) -> None:
    api.enqueue(register(lambda context: None), keys=["account:7"])
    place("account:7", BlockKind.PAUSE)
    place("account:7", BlockKind.RECONNECT)
    assert run() == 0
    assert blocks.lift("account:7", BlockKind.PAUSE) == 0
    assert blocks.lift("account:7", BlockKind.RECONNECT) == 1
    assert run() == 1


def test_a_job_freed_from_one_key_meets_the_next(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: None), keys=["account:7", "platform:x"])
    place("account:7", until=clock.now() + timedelta(hours=1))
    place("platform:x")
    assert run() == 0
    assert reloaded(job).parked_by == "platform:x"  # the one without an end
    blocks.lift("platform:x", BlockKind.PAUSE)
    assert run() == 0
    assert reloaded(job).parked_by == "account:7"


def test_a_block_with_an_end_is_over_by_itself(register: Register, run: Run, later: Later) -> None:
    api.enqueue(register(lambda context: None), keys=["account:7"])
    place("account:7", BlockKind.RATE_LIMIT, until=clock.now() + timedelta(seconds=30))
    assert run() == 0
    assert blocks.lift_elapsed() == 0
    assert gates.next_opening() is not None
    later(31)
    assert blocks.lift_elapsed() == 1
    assert gates.next_opening() is None
    assert run() == 1


def test_a_second_block_of_a_kind_replaces_the_first(register: Register) -> None:
    place("account:7", reason="first")
    place("account:7", reason="second")
    assert Block.objects.get().reason == "second"


def test_more_than_a_batch_of_parked_jobs_is_let_go(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "BATCH", 3)
    name = register(lambda context: None)
    place("all")
    for _ in range(8):
        api.enqueue(name)
    run()
    assert Job.objects.filter(parked_by="all").count() == 8
    assert blocks.lift("all", BlockKind.PAUSE) == 8
    assert Job.objects.exclude(parked_by="").count() == 0


def test_a_lift_in_a_transaction_lets_a_batch_go_after_it_and_the_sweep_the_others(
    register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "BATCH", 3)
    name = register(lambda context: None)
    place("all")
    for _ in range(8):
        api.enqueue(name)
    run()
    with atomic():
        assert pauses.resume("all") == 0
        assert not Block.objects.exists()
        assert Job.objects.filter(parked_by="all").count() == 8
    assert Job.objects.filter(parked_by="all").count() == 5
    rescue.rescue()
    assert not Job.objects.exclude(parked_by="").exists()


def test_a_block_lifted_before_the_stopped_job_is_put_back_parks_nothing(register: Register, run: Run) -> None:
    ran: list[int] = []

    def handler(context: JobContext) -> None:
        ran.append(1)
        if len(ran) == 1:
            with atomic():
                blocks.place("all", BlockKind.PAUSE, now=clock.now())
        try:
            context.before_irreversible_step()
        except BaseException:
            blocks.lift("all", BlockKind.PAUSE)
            raise

    job = api.enqueue(register(handler))
    run()
    assert (reloaded(job).state, reloaded(job).parked_by) == (JobState.COMPLETED, "")


def test_the_sweep_lets_go_what_a_broken_off_lift_left_parked(register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: None))
    with atomic():
        block = blocks.place("all", BlockKind.PAUSE, now=clock.now())
    run()
    assert reloaded(job).parked_by == "all"
    rescue.rescue()
    assert reloaded(job).parked_by == "all"
    block.delete()  # and its process dies before it unparks
    rescue.rescue()
    assert run() == 1


@pytest.mark.parametrize("kind", [BlockKind.RATE_LIMIT, BlockKind.PAUSE])
def test_a_jobs_answer_never_shortens_a_block(register: Register, run: Run, kind: BlockKind) -> None:
    """Two jobs under way are told of two windows, or an operator has stopped the key meanwhile."""
    tomorrow = None if kind == BlockKind.PAUSE else clock.now() + timedelta(days=1)

    def handler(context: JobContext) -> Postpone:
        with atomic():
            blocks.place(KEY, kind, now=clock.now(), until=tomorrow, reason="the longer one")
        return Postpone("busy", block=BlockRequest(KEY, kind, "soon", clock.now() + timedelta(seconds=10)))

    job = api.enqueue(register(handler), keys=[KEY])
    assert run() == 1
    assert (Block.objects.get().until, Block.objects.get().reason) == (tomorrow, "the longer one")
    assert reloaded(job).parked_by == KEY
