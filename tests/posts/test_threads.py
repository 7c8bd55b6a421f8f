"""Threads, first comments and posts that a network still works on: each part once, in order, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from posts.jobs.publish import look_up
from posts.models import Delivery, Post, PostMedia, ThreadMode
from posts.publishing import registry
from posts.publishing.capabilities import Capabilities, ImageLimits, TextLimit, Window
from posts.publishing.errors import ContentRejected, NotReady, OutcomeUnknown, RateLimited, Temporary
from posts.publishing.platform import Session
from posts.publishing.types import Absent, Found, Published
from posts.services.account_texts import set_account_texts
from posts.services.deliveries import retry_delivery
from posts.services.drafts import save_draft
from posts.services.errors import Refused
from posts.services.posts import publish_now
from posts.services.publication import DeliveryCheckpoints
from queue_app import blocks, clock, runner
from queue_app.context import JobContext
from queue_app.models import Job
from tests.posts.making import account, draft, edit, picture
from tests.posts.test_jobs import FakeNetwork

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 20
LONG = "One two three four. Five six seven eight. Nine ten eleven."


class Threading(FakeNetwork):
    """A network with threads: what is live there is in ``live``, with the part before it."""

    capabilities = Capabilities(
        (TextLimit("graphemes", LIMIT),), 4, ImageLimits(1, 1), threads=True, comment=(TextLimit("graphemes", 50),)
    )

    def __init__(self) -> None:
        super().__init__()
        self.live: list[tuple[str, str]] = []
        self.unsettled = False

    def prepare(self, session: Any, content: Any, checkpoints: Any) -> dict[str, Any]:
        self.calls.append(f"prepare {content.part}")
        checkpoints.once("upload", self._upload)
        return {"text": content.text, "key": content.key, "kind": content.kind}

    def commit(self, session: Session, snapshot: dict[str, Any]) -> Published:
        answer = self._answer("commit", None)
        parent = session.thread[-1].id if session.thread else ""
        self.live.append((snapshot["text"], parent))
        if isinstance(answer, str):
            raise OutcomeUnknown(answer)
        number = str(len(self.live))
        return Published(number, f"https://fake.example/{number}", settled=not self.unsettled)

    def settle(self, session: Session, snapshot: dict[str, Any], published: Published) -> Published:
        self.calls.append("settle")
        self._answer("settle", None)
        return Published(published.id, published.url)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Threading]:
    fake = Threading()
    monkeypatch.setitem(registry._registered, fake.name, fake)
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["outbox", "fake"]}
    yield fake
    clock.set_offset(timedelta(0))


def thread(text: str = LONG, **fields: Any) -> Delivery:
    post = draft(account(platform="fake"), text=text, thread_mode=ThreadMode.SPLIT, **fields)
    publish_now(post)
    return Delivery.objects.get(post=post)


def run() -> None:
    runner.run_due("default", "tests")


def later(seconds: float = 3700) -> None:
    clock.set_offset(clock._offset + timedelta(seconds=seconds))


def stored(delivery: Delivery) -> tuple[Delivery, Job]:
    delivery = Delivery.objects.select_related("job", "post", "account").get(pk=delivery.pk)
    assert delivery.job is not None
    return delivery, delivery.job


def test_parts_go_out_in_order_each_below_the_one_before(network: Threading) -> None:
    delivery = thread(first_comment="A comment")
    run()
    delivery, job = stored(delivery)
    texts = ["One two three four.", "Five six seven", "eight. Nine ten", "eleven.", "A comment"]
    assert [text for text, _ in network.live] == texts
    assert [parent for _, parent in network.live] == ["", "1", "2", "3", "4"]
    assert (delivery.status, delivery.url) == ("published", "https://fake.example/1")
    assert [part["id"] for part in job.result["parts"]] == ["1", "2", "3", "4", "5"]


def test_a_long_text_is_refused_where_nobody_asked_for_a_thread(network: Threading) -> None:
    post = draft(account(platform="fake"), text=LONG)
    with pytest.raises(Exception, match="the limit is 20"):
        publish_now(post)


def test_a_wait_between_two_parts_goes_on_where_it_stopped(network: Threading) -> None:
    delivery = thread()
    network.answers["commit"] = [None, RateLimited(until=clock.now() + timedelta(seconds=30))]
    run()
    delivery, job = stored(delivery)
    assert (job.state, job.marked_at, len(delivery.live)) == ("pending", None, 1)
    assert delivery.url == "https://fake.example/1"
    assert job.expires_at is None  # what has begun to appear is finished
    later(60)
    blocks.lift_elapsed()
    run()
    assert [text for text, _ in network.live] == ["One two three four.", "Five six seven", "eight. Nine ten", "eleven."]
    assert stored(delivery)[0].status == "published"


@pytest.mark.parametrize("interruption", ["wait", "crash"])
def test_what_a_thread_says_stays_as_it_was_when_its_first_part_went_out(network: Threading, interruption: str) -> None:
    delivery = thread(first_comment="A comment")
    stop = RateLimited(until=clock.now()) if interruption == "wait" else RuntimeError("killed")
    network.answers["commit"] = [None, stop]
    network.safe = True
    run()
    assert len(stored(delivery)[0].live) == 1
    set_account_texts(stored(delivery)[0].account, signature="Yours, Ada", variables={}, utm={})
    network.capabilities = Capabilities(  # type: ignore[misc]  # for this test
        (TextLimit("graphemes", 40),), 4, ImageLimits(1, 1), threads=True, comment=(TextLimit("graphemes", 50),)
    )
    for _ in range(3):
        later(60)
        blocks.lift_elapsed()
        run()
    texts = ["One two three four.", "Five six seven", "eight. Nine ten", "eleven.", "A comment"]
    assert [text for text, _ in network.live] == texts
    assert stored(delivery)[0].status == "published"


def test_a_thread_longer_than_a_window_goes_on_as_places_become_free(
    network: Threading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Threading, "windows", (Window(2, 60),))
    delivery = thread()
    run()
    assert len(network.live) == 2
    later(61)
    blocks.lift_elapsed()
    run()
    assert [parent for _, parent in network.live] == ["", "1", "2", "3"]
    assert stored(delivery)[0].status == "published"


def test_a_silence_in_the_middle_is_looked_up_and_the_rest_goes_out(network: Threading) -> None:
    delivery = thread()
    network.answers["commit"] = [None, "no_answer_in_time"]
    network.answers["find"] = [Found(Published("2", "https://fake.example/2"))]
    run()
    assert stored(delivery)[1].state == "uncertain"
    later(11)
    run()
    run()
    delivery, _ = stored(delivery)
    assert delivery.status == "published"
    assert [text for text, _ in network.live] == ["One two three four.", "Five six seven", "eight. Nine ten", "eleven."]
    assert [parent for _, parent in network.live] == ["", "1", "2", "3"]


def test_a_part_that_is_not_there_is_sent_again_and_only_that(network: Threading) -> None:
    delivery = thread()
    network.safe = True
    network.answers["commit"] = [None, "no_answer_in_time"]
    network.answers["find"] = [Absent()]
    run()
    later(11)
    run()
    run()
    texts = [text for text, _ in network.live]
    assert texts == ["One two three four.", "Five six seven", "Five six seven", "eight. Nine ten", "eleven."]
    assert network.calls.count("prepare 0") == 1
    assert stored(delivery)[0].status == "published"


def test_a_part_that_cannot_be_recorded_is_looked_up_and_not_sent_again(
    network: Threading, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = thread()

    def fails(*_arguments: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(DeliveryCheckpoints, "record", fails)
        run()
    _, job = stored(delivery)
    assert (job.state, job.marked_at is None) == ("uncertain", False)
    network.answers["find"] = [Found(Published("1", "https://fake.example/1"))]
    later(11)
    run()
    run()
    assert [text for text, _ in network.live] == ["One two three four.", "Five six seven", "eight. Nine ten", "eleven."]
    assert stored(delivery)[0].status == "published"


def test_a_refused_part_leaves_the_others_live_and_forbids_editing(network: Threading) -> None:
    delivery = thread()
    network.answers["commit"] = [None, ContentRejected(field="text")]
    run()
    delivery, _ = stored(delivery)
    assert (delivery.status, len(delivery.live)) == ("failed", 1)
    with pytest.raises(Refused, match="partly live"):
        edit(delivery.post, text="Another text")
    assert Post.objects.get().text == LONG


def test_the_rest_of_a_thread_needs_no_files_any_more(network: Threading) -> None:
    delivery = thread()
    network.answers["commit"] = [None, ContentRejected(field="text")]
    run()
    PostMedia.objects.create(post=delivery.post, media=picture(file_deleted_at=clock.now()))
    retry_delivery(stored(delivery)[0])
    run()
    assert [text for text, _ in network.live] == ["One two three four.", "Five six seven", "eight. Nine ten", "eleven."]
    assert stored(delivery)[0].status == "published"


def test_numbers_are_put_on_parts_that_still_fit(network: Threading) -> None:
    post = draft(account(platform="fake"), text=LONG, thread_mode=ThreadMode.NUMBERED)
    publish_now(post)
    run()
    texts = [text for text, _ in network.live]
    assert texts[0].endswith(f" (1/{len(texts)})")
    assert all(len(text) <= LIMIT for text in texts)


def test_what_a_network_still_works_on_is_polled_and_never_sent_again(network: Threading) -> None:
    network.unsettled = True
    delivery = thread("Short")
    run()
    delivery, job = stored(delivery)
    assert (delivery.status, job.state, job.marked_at) == ("scheduled", "pending", None)
    network.answers["settle"] = [NotReady(check_after_seconds=5), Temporary()]
    for _ in range(3):
        later(120)
        run()
    delivery, job = stored(delivery)
    assert delivery.status == "published"
    assert network.live == [("Short", "")]


def test_what_a_network_refuses_in_the_end_has_failed(network: Threading) -> None:
    network.unsettled = True
    delivery = thread("Short")
    run()
    network.answers["settle"] = [ContentRejected(field="media")]
    later(60)
    run()
    delivery, _ = stored(delivery)
    assert (delivery.status, delivery.live, delivery.snapshot, delivery.url) == ("failed", [], None, "")


def test_what_a_network_drops_for_a_passing_reason_is_prepared_and_sent_anew(network: Threading) -> None:
    network.unsettled = True
    delivery = thread("Short")
    run()
    network.answers["settle"] = [Temporary(restart=True)]
    later(60)
    run()
    delivery, _ = stored(delivery)
    assert (delivery.status, delivery.live, delivery.snapshot) == ("scheduled", [], None)
    for _ in range(2):
        later(3600)
        run()
    assert stored(delivery)[0].status == "published"
    assert network.calls.count("settle") == 2
    assert len(network.live) == 2


def test_what_a_network_never_speaks_of_again_needs_a_person(network: Threading) -> None:
    network.unsettled = True
    delivery = thread("Short")
    run()
    network.answers["settle"] = [NotReady(), NotReady()]
    later(60)
    run()
    later(21 * 3600)
    run()
    delivery, job = stored(delivery)
    assert (delivery.status, job.state) == ("needs_review", "uncertain")
    assert network.live == [("Short", "")]


@pytest.mark.parametrize("settled", [True, False])
def test_what_a_silent_network_is_found_to_have_is_the_part_it_took(network: Threading, settled: bool) -> None:
    network.unsettled = True
    delivery = thread("Short")
    run()
    network.answers["settle"] = [NotReady(), NotReady()]
    later(60)
    run()
    later(21 * 3600)
    run()
    network.answers["find"] = [Found(Published("1", "https://fake.example/1", settled=settled))]
    for _ in range(2):
        later(3600)
        run()
    delivery, _ = stored(delivery)
    assert (delivery.status, delivery.url) == ("published", "https://fake.example/1")
    assert network.live == [("Short", "")]


def test_how_long_a_network_may_work_is_measured_from_when_it_took_the_post(network: Threading) -> None:
    network.unsettled = True
    delivery = thread("Short")
    Job.objects.update(postponed_since=clock.now() - timedelta(hours=25))  # its video was being processed for so long
    run()
    network.answers["settle"] = [NotReady(deadline_seconds=60), RateLimited(until=clock.now()), NotReady(), NotReady()]
    later(60)
    run()
    assert stored(delivery)[1].state == "pending"
    for _ in range(2):
        later(10 * 3600)
        blocks.lift_elapsed()
        run()
    assert stored(delivery)[1].state == "uncertain"
    assert network.live == [("Short", "")]


def test_what_a_network_never_speaks_of_again_is_sent_again_if_a_person_says_so(network: Threading) -> None:
    network.unsettled = True
    delivery = thread("First\n---\nSecond")
    run()
    network.answers["settle"] = [NotReady(), NotReady()]
    later(60)
    run()
    later(21 * 3600)
    run()
    delivery, _ = stored(delivery)
    assert (delivery.status, len(delivery.live)) == ("needs_review", 1)
    network.unsettled = False
    retry_delivery(delivery, even_if_uncertain=True)
    run()
    assert network.live == [("First", ""), ("First", ""), ("Second", "2")]
    assert stored(delivery)[0].status == "published"


def test_a_look_up_that_comes_too_late_records_nothing(network: Threading) -> None:
    delivery = thread()
    network.answers["commit"] = [None, "no_answer_in_time"]
    run()
    delivery, job = stored(delivery)

    def moved_on(*_arguments: Any) -> Found:
        Job.objects.filter(pk=job.pk).update(fence=F("fence") + 2)
        return Found(Published("2", "https://fake.example/2"))

    network.find = moved_on  # type: ignore[method-assign]  # for this test
    look_up(JobContext(Job(), "tests"), job)
    assert stored(delivery)[0].live == delivery.live


def test_a_thread_is_split_by_hand_at_three_dashes(network: Threading) -> None:
    thread("First\n---\nSecond")
    run()
    assert [text for text, _ in network.live] == ["First", "Second"]


def test_a_network_without_threads_gets_one_text_without_the_dashes(network: Threading) -> None:
    network.capabilities = Capabilities((TextLimit("graphemes", LIMIT),), 4, ImageLimits(1, 1))  # type: ignore[misc]  # for this test
    delivery = thread("First\n---\nSecond", first_comment="Nowhere to go")
    run()
    assert [text for text, _ in network.live] == ["First\nSecond"]
    assert stored(delivery)[0].status == "published"


def test_an_unknown_way_to_split_is_refused() -> None:
    with pytest.raises(Exception, match="split"):
        save_draft(post=None, owner=None, text="x", account_ids=[], media=[], thread_mode="torn")
