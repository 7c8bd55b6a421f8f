"""Parts of a thread that can only be prepared once the part before them is live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from posts.models import Account, Delivery, Post, PostStatus, ThreadMode
from posts.publishing import errors, registry
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit
from posts.publishing.platform import Checkpoints, Session
from posts.publishing.types import Absent, Finding, Found, Published
from posts.services.posts import schedule_post
from posts.services.sessions import store_credentials
from queue_app import clock, runner
from queue_app.states import JobState
from tests.posts.test_jobs import FakeNetwork, later, now_of, run

pytestmark = pytest.mark.django_db(transaction=True)


class Chain(FakeNetwork):
    """A network where a reply needs a container that names the post before it."""

    name = "chain"
    capabilities = Capabilities((TextLimit("graphemes", 100),), 4, ImageLimits(1_000_000, 2000), threads=True)

    def __init__(self) -> None:
        super().__init__()
        self.sent_before: list[bool] = []

    def follow(self, session: Session, snapshot: dict[str, Any], checkpoints: Checkpoints) -> dict[str, Any]:
        self.calls.append(f"follow {snapshot['text']} after {session.thread[-1].id}")
        made = checkpoints.once("container", lambda: {"id": f"on-{session.thread[-1].id}"})
        self._answer("follow", None)
        return {**snapshot, "container": made["id"]}

    def commit(self, session: Session, snapshot: dict[str, Any]) -> Published:
        self.calls.append(f"commit {snapshot['text']} {snapshot.get('container', '')}".strip())
        self.sent_before.append(session.sent_before)
        return self._answer("commit", Published(f"id-{len(session.thread)}", "https://a.example/1"))

    def find(self, session: Session, snapshot: dict[str, Any], marked_at: datetime) -> Finding:
        self.calls.append(f"find {snapshot['container']}")
        return self._answer("find", Absent())


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Chain]:
    fake = Chain()
    monkeypatch.setitem(registry._registered, "chain", fake)
    monkeypatch.setattr(runner, "_worker", None)
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["chain"]}
    yield fake
    clock.set_offset(timedelta(0))


@pytest.fixture
def delivery(chain: Chain) -> Delivery:
    account = Account(platform="chain", name="Ada", identity_id="fake-1")
    store_credentials(account, chain.connect(None, {}))  # type: ignore[arg-type]  # the fake asks nobody
    account.save()
    mode = ThreadMode.NUMBERED.value
    post = Post.objects.create(text="One\n---\nTwo", status=PostStatus.DRAFT, thread_mode=mode)
    made = Delivery.objects.create(post=post, account=account)
    schedule_post(post, at=clock.now())
    made.refresh_from_db()
    return made


def test_a_later_part_is_completed_before_its_mark_and_frozen_so(chain: Chain, delivery: Delivery) -> None:
    run()
    assert chain.calls[2:] == ["commit One (1/2)", "follow Two (2/2) after id-0", "commit Two (2/2) on-id-0"]
    delivery, job = now_of(delivery)
    assert job.state == JobState.COMPLETED
    assert delivery.snapshot is not None
    assert [part.get("container") for part in delivery.snapshot["parts"]] == [None, "on-id-0"]


def test_a_part_that_is_not_ready_waits_unmarked_and_was_not_sent_before(chain: Chain, delivery: Delivery) -> None:
    chain.answers["follow"] = [errors.NotReady()]
    run()
    delivery, job = now_of(delivery)
    assert (job.state, job.marked_at, len(delivery.live)) == (JobState.PENDING, None, 1)
    later(60)
    run()
    assert chain.calls.count("commit One (1/2)") == 1
    assert chain.sent_before == [False, False]
    assert now_of(delivery)[1].state == JobState.COMPLETED


def test_a_lost_later_part_is_looked_up_by_what_follow_gave(chain: Chain, delivery: Delivery) -> None:
    chain.answers["commit"] = [Published("id-0", ""), errors.OutcomeUnknown()]
    chain.answers["find"] = [Found(Published("id-1", "https://a.example/2"))]
    run()
    assert now_of(delivery)[1].state == JobState.UNCERTAIN
    later(11)
    run()
    assert now_of(delivery)[1].state == JobState.COMPLETED
    assert chain.calls[-1] == "find on-id-0"


def test_a_part_that_is_sent_again_knows_it(chain: Chain, delivery: Delivery) -> None:
    chain.safe = True
    chain.answers["commit"] = [Published("id-0", ""), errors.OutcomeUnknown()]
    run()
    later(11)
    run()
    later(130)
    run()
    assert chain.sent_before == [False, False, True]
    assert now_of(delivery)[1].state == JobState.COMPLETED
