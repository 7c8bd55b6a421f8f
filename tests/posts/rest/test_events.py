"""Following events over HTTP: in order, each once, as far as one may see them, and for as long as one is welcome."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import takewhile
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.db import connection, connections
from django.db.models import Max
from django.test import Client

from posts.services.posts import delete_post
from queue_app import api, clock, events, keys, listeners
from queue_app.database import atomic
from queue_app.models import ApiKey, Event
from queue_app.rest import following
from tests.posts.admin.pages import VIEWER, person
from tests.posts.making import account, draft
from tests.posts.rest.calling import Program

pytestmark = pytest.mark.django_db(transaction=True)

READER = (*VIEWER, "queue_app.view_job")
LONG_SECONDS = 30.0


@pytest.fixture(autouse=True)
def _quick(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.SOCIALQ = {**settings.SOCIALQ, "LISTENER_HEARTBEAT_SECONDS": 0.05, "CHECK_INTERVAL_SECONDS": 0.05}
    monkeypatch.setattr(following, "LOOK_AGAIN_SECONDS", 0.0)
    yield
    wait_until(lambda: listeners.count() == 0)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def record(owner: User, name: str = "post.failed", **data: Any) -> Event:
    return events.record(name, {"post_id": 1, "owner_id": owner.pk, **data})


def blocks(answer: Any) -> Iterator[dict[str, str]]:
    """Yield what a stream sends, each block as its fields; a comment is the field ""."""
    for text in answer.streaming_content:
        assert text.endswith(b"\n\n")
        lines = text.decode().removesuffix("\n\n").split("\n")
        yield dict(("", line) if line.startswith(":") else line.split(": ", 1) for line in lines)


def told(answer: Any, most: int = 1000) -> list[dict[str, Any]]:
    """Return the events of a stream up to what is there now, at most so many, and leave."""
    found: list[dict[str, Any]] = []
    newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
    with closing(answer):
        # On a busy machine it says that it lives between two events, too.
        for block in takewhile(lambda block: "" not in block or int(block["id"]) < newest, blocks(answer)):
            if "data" in block:
                found.append(json.loads(block["data"]))
                assert (block["id"], block["event"]) == (str(found[-1]["id"]), found[-1]["event"])
            if len(found) == most:
                break
    return found


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [event["id"] for event in found]


def test_a_stream_goes_on_from_what_was_seen_last_and_tells_what_subscribe_tells() -> None:
    ada = person("ada", READER)
    program, written = Program(ada), [record(ada).pk for _number in range(3)]
    answer = program.get("events?after=0")
    assert answer["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer["X-Accel-Buffering"] == "no"
    assert "no-store" in answer["Cache-Control"]
    found = told(answer)
    assert found == list(events.subscribe(after=0, timeout_seconds=0))
    assert ids(found) == written
    assert ids(told(program.get(f"events?after={written[0]}"))) == written[1:]
    assert ids(told(program.get("events?after=0", Last_Event_ID=str(written[1])))) == written[2:]
    assert told(program.get("events")) == []


def test_a_quiet_stream_says_that_it_lives_and_how_far_it_has_read() -> None:
    ada, bob = person("ada", READER), person("bob")
    answer = Program(ada).get("events")
    with closing(answer):
        sent = blocks(answer)
        first = next(sent)
        assert first == {"retry": "3000", "id": first["id"]}
        foreign = record(bob).pk
        assert next(block for block in sent if block["id"] == str(foreign)) == {"": ": here", "id": str(foreign)}


def test_posts_are_told_to_who_may_see_them_and_jobs_to_who_may_see_jobs() -> None:
    ada, bob, boss = person("ada", VIEWER), person("bob", READER), person("boss", is_superuser=True)
    post = draft(account(), owner=ada)
    created = Event.objects.get(name="post.created").pk
    delete_post(post)
    deleted = Event.objects.get(name="post.deleted").pk
    job = api.enqueue("posts.publish", {"delivery_id": 1}).events.get().pk
    shop = events.record("shop.sold", {"owner_id": ada.pk}).pk
    wanted = {ada: [created, deleted], bob: [job], boss: [created, deleted, job, shop]}
    for who, expected in wanted.items():
        assert ids(told(Program(who).get("events?after=0"))) == expected
        assert ids(Program(who).get("events?after=0&format=json").json()["events"]) == expected


def test_one_may_ask_for_some_names_one_job_or_one_post() -> None:
    boss = person("boss", is_superuser=True)
    program = Program(boss)
    one, two = record(boss, post_id=1).pk, record(boss, "post.published", post_id=2).pk
    job = api.enqueue("posts.publish", {"delivery_id": 1})
    event = job.events.get().pk
    asked = {
        "names=post.failed,job_added": [one, event],
        f"job_id={job.pk}": [event],
        "post_id=2": [two],
        "post_id=1&names=post.published": [],
    }
    for query, expected in asked.items():
        assert ids(told(program.get(f"events?after=0&{query}"))) == expected, query


def test_a_page_says_where_the_next_one_begins() -> None:
    ada, bob = person("ada", READER), person("bob")
    program, written = Program(ada), [record(ada).pk for _number in range(3)]
    foreign = record(bob).pk
    page = program.get("events?format=json&limit=2").json()
    assert (ids(page["events"]), page["after"]) == (written[:2], written[1])
    page = program.get(f"events?after={page['after']}", Accept="application/json").json()
    assert (ids(page["events"]), page["after"]) == (written[2:], foreign)
    assert program.get(f"events?format=json&after={foreign}").json() == {"events": [], "after": foreign}


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("after=-1", ""),
        (f"after={2**63}", ""),
        ("after=x", ""),
        ("names=job_done", ""),
        ("format=xml", ""),
        ("limit=0", ""),
        ("since=1", ""),
        ("", "x"),
        ("", "-1"),
        ("", "9" * 400),
    ],
)
def test_a_question_that_means_nothing_is_refused(query: str, header: str) -> None:
    headers = {"Last_Event_ID": header} if header else {}
    answer = Program(person("ada", READER)).get(f"events?{query}", **headers)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.one_database
def test_whoever_may_see_nothing_or_has_no_key_hears_nothing() -> None:
    assert Client().get("/api/events").status_code == 401
    assert Program(person("nobody")).get("events").status_code == 403
    assert Program(person("ada", READER), scopes=["write"]).get("events").status_code == 403


def test_a_stream_ends_when_its_key_or_its_person_is_stopped() -> None:
    ada = person("ada", READER)
    stops: list[Callable[[], Any]] = [
        lambda: keys.revoke_key(ApiKey.objects.latest("pk")),
        lambda: ApiKey.objects.update(expires_at=clock.now()),
        lambda: User.objects.filter(pk=ada.pk).update(is_active=False),
    ]
    for stop in stops:
        answer = Program(ada).get("events")
        with closing(answer):
            sent = blocks(answer)
            next(sent)
            stop()
            record(ada)
            assert not [block for block in sent if "data" in block]


@pytest.mark.parametrize("stop", ["logout", "another password"])
def test_a_stream_ends_with_the_session_that_it_was_opened_in(stop: str) -> None:
    ada, client = person("ada", READER), Client()
    client.force_login(ada)
    answer = client.get("/api/events")
    with closing(answer):
        sent = blocks(answer)
        next(sent)
        event = record(ada).pk
        assert next(block for block in sent if "data" in block)["id"] == str(event)
        if stop == "logout":
            client.logout()
        else:
            ada.set_password("another")
            ada.save()
        record(ada)
        assert not [block for block in sent if "data" in block]


def test_what_one_may_no_longer_see_is_not_told() -> None:
    ada = person("ada", READER)
    answer = Program(ada).get("events")
    with closing(answer):
        sent = blocks(answer)
        next(sent)
        ada.user_permissions.clear()
        event = record(ada).pk
        assert "data" not in next(block for block in sent if block["id"] == str(event))


def test_a_stream_ends_by_itself_so_that_a_new_version_can_take_over(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "LISTENER_SECONDS": 0.2}
    ada = person("ada", READER)
    answer = Program(ada).get("events")
    with closing(answer):
        assert len(list(blocks(answer))) >= 1


@pytest.mark.one_database
def test_no_more_listen_than_may_and_a_place_is_free_again_however_one_leaves(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MAX_LISTENERS": 2}
    program = Program(person("ada", READER))
    begun, unread = program.get("events"), program.get("events")
    next(blocks(begun))
    refused = program.get("events")
    assert (refused.status_code, refused["Retry-After"]) == (503, "10")
    assert program.get("events?format=json").status_code == 200
    begun.close()
    unread.close()
    again = program.get("events")
    assert again.status_code == 200
    del again  # nobody ever asked for its first step, or closed it
    wait_until(lambda: bool(gc.collect() >= 0 and listeners.count() == 0))


def test_nothing_is_lost_or_doubled_by_who_keeps_coming_back_while_many_write() -> None:
    ada = person("ada", READER)
    program, writers, each = Program(ada), 3, 40

    def write() -> None:
        try:
            for number in range(each):
                with atomic():
                    record(ada)
                    if number % 7 == 0:
                        time.sleep(0.005)  # a transaction that stays open for a while: its ids are seen late
                        record(ada)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write) for _number in range(writers)]
    for thread in threads:
        thread.start()
    found: list[int] = []
    deadline = time.monotonic() + LONG_SECONDS
    total = writers * (each + len(range(0, each, 7)))
    while len(found) < total and time.monotonic() < deadline:
        last = {"Last_Event_ID": str(found[-1])} if found else {}
        found += ids(told(program.get("events?after=0", **last), most=17))
    for thread in threads:
        thread.join(LONG_SECONDS)
    assert found == list(Event.objects.filter(job=None).order_by("pk").values_list("pk", flat=True))


def test_a_client_that_is_gone_gives_its_place_back(live_server: Any) -> None:
    key = Program(person("ada", READER)).key
    host, port = live_server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=LONG_SECONDS) as client:
        client.sendall(f"GET /api/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        received = b""
        while b"retry: 3000" not in received:
            received += client.recv(4096)
        assert b"HTTP/1.1 200" in received
        assert listeners.count() == 1
    wait_until(lambda: listeners.count() == 0)


@pytest.mark.one_database
def test_an_asgi_server_streams_too_and_notices_who_is_gone() -> None:
    ada = person("ada", READER)
    key, event = Program(ada).key, record(ada)
    connection.close()

    async def follow() -> None:
        headers = [(b"host", b"testserver"), (b"authorization", f"Bearer {key}".encode())]
        request = {"method": "GET", "path": "/api/events", "query_string": b"after=0", "headers": headers}
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", **request}
        client = ApplicationCommunicator(get_asgi_application(), scope)
        await client.send_input({"type": "http.request", "body": b""})
        assert (await client.receive_output(LONG_SECONDS))["status"] == 200
        received = b""
        while f"id: {event.pk}\nevent: post.failed".encode() not in received:
            received += (await client.receive_output(LONG_SECONDS))["body"]
        assert listeners.count() == 1
        await client.send_input({"type": "http.disconnect"})
        await client.wait(LONG_SECONDS)

    asyncio.run(follow())
    wait_until(lambda: listeners.count() == 0)
