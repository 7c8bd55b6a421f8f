"""Every network × every place where a worker can die or an answer be lost: never twice, nothing stuck.

The platform is the real one, its network the fake on a socket; a worker is a process that kills itself at the place.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from posts.jobs import publish
from posts.models import Delivery, DeliveryStatus, Post
from posts.publishing import registry
from posts.services import schedule
from posts.services.accounts import save_connection
from queue_app import blocks, clock, rescue, runner
from queue_app.models import Worker
from tests.posts.making import draft
from tests.posts.platforms.contract import PlatformContract
from tests.posts.platforms.networks import contract_of, network_names, served

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE_THE_MARK = ("after_claim", "before_prepare", "before_mark")
AFTER_THE_MARK = ("after_mark", "after_commit_call", "before_saving")
# What nobody can look up there: a person decides, once it was sent.
CANNOT_ASK = {"discord", "telegram"}
STEP_SECONDS, MOST_STEPS = 120, 40


class Line:
    """One delivery on its way to a network."""

    def __init__(self, contract: PlatformContract, server: Any, delivery: Delivery, settings: Any) -> None:
        self.contract, self.server, self.delivery, self.settings = contract, server, delivery, settings

    def worker_that_dies_at(self, step: str) -> None:
        """Run a worker in a process of its own until it kills itself at ``step``, or has nothing more to do."""
        connections.close_all()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the fake's threads stay in this process
            child = os.fork()
        if child == 0:
            try:
                self.settings.SOCIALQ = {**self.settings.SOCIALQ, "FAILPOINTS": f"{step}=kill"}
                runner.run_due("default", "tests")
            finally:
                os._exit(0)
        os.waitpid(child, 0)

    def go_on(self) -> Delivery:
        """Let time pass and others work until the delivery has ended, or a person must decide."""
        for _ in range(MOST_STEPS):
            runner.run_due("default", "tests")
            self.delivery.refresh_from_db()
            if self.is_settled():
                break
            clock.set_offset(clock._offset + timedelta(seconds=STEP_SECONDS))
            Worker.objects.filter(pid=os.getpid()).update(heartbeat_at=clock.now())
            rescue.rescue()
            blocks.lift_elapsed()
        return self.delivery

    def is_settled(self) -> bool:
        job = self.delivery.job
        if job is not None:
            job.refresh_from_db()
        reviewed = job is not None and job.needs_review_at is not None
        return (self.delivery.status == DeliveryStatus.NEEDS_REVIEW and reviewed) or self.delivery.status in (
            DeliveryStatus.PUBLISHED,
            DeliveryStatus.FAILED,
        )


@pytest.fixture(params=network_names())
def line(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A post, due now, on each network in turn."""
    with a_line(contract_of(request.param), settings, monkeypatch, text="Hello there") as found:
        yield found


@pytest.fixture(params=[name for name in network_names() if registry.get(name).capabilities.threads])
def thread(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A thread of three, due now, on each network that has threads in turn."""
    text = "First\n---\nSecond\n---\nThird"
    with a_line(contract_of(request.param), settings, monkeypatch, text=text, thread_mode="split") as found:
        yield found


@contextmanager
def a_line(contract: PlatformContract, settings: Any, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> Iterator[Line]:
    name = contract.platform.name
    with served(contract) as server:
        app = {"CLIENT_ID": "client-1", "CLIENT_SECRET": "client-secret-1"}
        addresses = {"API_BASE": server.url, "AUTH_BASE": server.url}
        settings.SOCIALQ = {
            **settings.SOCIALQ,
            "ENABLED_PLATFORMS": [name],
            "ALLOW_PRIVATE_NETWORKS": True,
            "PLATFORMS": {name: app | addresses},
            "HTTP_TIMEOUT_SECONDS": 5,
        }
        account = save_connection(name, contract.connect(server), {})
        monkeypatch.setattr(publish, "contents_of", with_files(contract, publish.contents_of))
        monkeypatch.setattr(schedule, "problems_of", lambda post, deliveries=None: [])  # the files are the contract's
        monkeypatch.setattr(runner, "_worker", None)
        post = draft(account, options={account.pk: contract.usual_options()}, **fields)
        schedule.publish_now(post)
        yield Line(contract, server, Delivery.objects.get(post=post), settings)
    clock.set_offset(timedelta(0))


def with_files(contract: PlatformContract, contents_of: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``contents_of`` with what a post must carry on the network."""
    files = contract.content().media

    def contents(delivery: Delivery, platform: Any) -> Any:
        return [replace(each, media=() if each.part else files) for each in contents_of(delivery, platform)]

    return contents


@pytest.mark.parametrize("step", ["after_commit_call", "after_part", "after_mark"])
def test_a_worker_that_dies_in_a_thread_resumes_at_the_right_part(thread: Line, step: str) -> None:
    thread.worker_that_dies_at(step)
    delivery = thread.go_on()
    texts = [post["text"] for post in thread.server.accepted]
    status, _ = ("published", 0) if step == "after_part" else expected(thread, live=step != "after_mark")
    assert delivery.status == status
    assert texts == ["First", "Second", "Third"][: 3 if status == "published" else step != "after_mark"]


def expected(line: Line, *, live: bool) -> tuple[str, int]:
    """What becomes of a post whose answer was lost, and how many are live in the end.

    Where the network can be asked it is found; that it is not there is believed where the platform says so. Else a
    person decides, and nothing is sent again.
    """
    platform, account = line.contract.platform, line.delivery.account
    absence_counts = platform.repeats_safely(account.config) or platform.settle_seconds is not None
    if platform.name not in CANNOT_ASK and (live or absence_counts):
        return "published", 1
    return "needs_review", int(live)


@pytest.mark.parametrize("step", BEFORE_THE_MARK)
def test_a_worker_that_dies_before_the_mark_costs_nothing(line: Line, step: str) -> None:
    line.worker_that_dies_at(step)
    delivery = line.go_on()
    assert (delivery.status, len(line.server.accepted)) == ("published", 1)


@pytest.mark.parametrize("step", AFTER_THE_MARK)
def test_a_worker_that_dies_after_the_mark_posts_once(line: Line, step: str) -> None:
    line.worker_that_dies_at(step)
    sent = len(line.server.accepted)
    assert sent == (step != "after_mark")
    delivery = line.go_on()
    assert (delivery.status, len(line.server.accepted)) == expected(line, live=bool(sent))


@pytest.mark.parametrize("kind", ["cut", "server fault"])
@pytest.mark.parametrize("stored", [False, True], ids=["lost", "stored"])
def test_an_answer_that_is_lost_posts_once(line: Line, kind: str, stored: bool) -> None:
    how = {"kind": "cut"} if kind == "cut" else {"status": 502, "body": "<html>bad gateway</html>"}
    line.server.fault(line.contract.commit_path, after=stored, **how)
    delivery = line.go_on()
    assert (delivery.status, len(line.server.accepted)) == expected(line, live=stored)
    assert Post.objects.get().status == delivery.status
