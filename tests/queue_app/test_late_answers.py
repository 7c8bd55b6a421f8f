"""Answers of executions that were fenced off meanwhile."""

from __future__ import annotations

import pytest

from queue_app import api, claims, clock, finish
from queue_app.database import atomic
from queue_app.models import Block, BlockKind
from queue_app.outcomes import BlockRequest, Done, Failure, Outcome, Postpone, Retry
from queue_app.states import JobState
from tests.queue_app.jobs import Register, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_late_answer_blocks_nothing(register: Register) -> None:
    name = register(lambda context: None)
    api.enqueue(name, keys=["account:7"])
    with atomic():
        claim = claims.claim_next({"default": 1}, None, types=[name], holder="w1", lease_seconds=60)
    assert isinstance(claim, claims.Claim)
    api.release_running(actor="ada")
    expired = BlockRequest("account:7", BlockKind.RECONNECT, "its session has ended")
    finish.settle(claim, Postpone("reconnect", until=clock.now(), block=expired))
    assert not Block.objects.exists()
    stored = reloaded(claim.job)
    assert (stored.state, stored.parked_by) == (JobState.PENDING, "")
    assert stored.attempt_set.get().late_answer == "Postpone"


@pytest.mark.parametrize("answer", [Done(), Retry(Failure("Broken", "no"))])
def test_the_answer_of_a_job_that_is_gone_is_let_go(register: Register, answer: Outcome) -> None:
    name = register(lambda context: None)
    job = api.enqueue(name)
    with atomic():
        claim = claims.claim_next({"default": 1}, None, types=[name], holder="w1", lease_seconds=60)
    assert isinstance(claim, claims.Claim)
    job.events.all().delete()
    job.delete()
    assert finish.settle(claim, answer) == (None, None)
