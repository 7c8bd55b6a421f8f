"""Many posts in one call: all or none, or each for itself; and what is done to many by their ids."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from posts.models import Account, Post
from posts.services.posts import schedule_post
from queue_app import clock
from queue_app.models import Job
from tests.posts.admin.pages import PUBLISHER, person
from tests.posts.making import REJECTED, account, draft, sent
from tests.posts.rest.calling import Program

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada() -> Program:
    return Program(person("ada", (*PUBLISHER, "posts.view_all_posts")))


@pytest.fixture
def place() -> Account:
    return account("Ada")


def bodies(place: Account) -> list[dict[str, Any]]:
    good = {"text": "Hello", "accounts": [place.pk]}
    return [
        good,
        {"text": "Late", "accounts": [place.pk, 999], "scheduledAt": "2001-01-01T00:00"},
        {**good, "tags": ["x"]},
    ]


def test_posts_are_made_together_or_not_at_all(ada: Program, place: Account) -> None:
    made = ada.post("posts/bulk", {"posts": [bodies(place)[0]] * 100}, Idempotency_Key="one")
    assert (made.status_code, made.json()["made"], Post.objects.count()) == (201, 100, 100)
    again = ada.post("posts/bulk", {"posts": [bodies(place)[0]] * 100}, Idempotency_Key="one")
    assert (again.json(), Post.objects.count()) == (made.json(), 100)
    assert ada.get(f"posts/{made.json()['items'][99]['id']}").json()["text"] == "Hello"
    refused = ada.post("posts/bulk", {"posts": bodies(place)})
    assert refused.status_code == 422
    assert {error["path"] for error in refused.json()["errors"]} == {"posts.1.accounts.1"}
    assert Post.objects.count() == LogEntry.objects.count() == 100


def test_in_part_those_are_made_that_can_be(ada: Program, place: Account) -> None:
    answer = ada.post("posts/bulk", {"posts": bodies(place), "partial": True})
    first, second, third = answer.json()["items"]
    assert (answer.status_code, answer.json()["made"], Post.objects.count()) == (201, 2, 2)
    assert [first["state"], first["errors"], third["errors"]] == ["draft", [], []]
    assert second["id"] is None
    assert {error["path"] for error in second["errors"]} <= {"posts.1.accounts.1", "posts.1.scheduledAt"}
    none = ada.post("posts/bulk", {"posts": [bodies(place)[1]], "partial": True})
    assert (none.status_code, Post.objects.count()) == (422, 2)


@pytest.mark.one_database
def test_how_many_there_may_be_and_with_which_scope(ada: Program, place: Account) -> None:
    assert ada.post("posts/bulk", {"posts": []}).status_code == 422
    assert ada.post("posts/bulk", {"posts": [bodies(place)[0]] * 101}).status_code == 422
    wrong = ada.post("posts/bulk", {"posts": [{"text": 5}]})
    assert wrong.json()["errors"][0]["path"] == "posts.0.text"
    writer = Program(person("bob", PUBLISHER), ["write"])
    assert writer.post("posts/bulk", {"posts": [{**bodies(place)[0], "status": "PUBLISHED"}]}).status_code == 403
    assert not Post.objects.exists()


def test_many_are_cancelled_moved_and_retried_each_for_itself(ada: Program, place: Account) -> None:
    at = clock.now() + timedelta(hours=1)
    waits = [draft(place) for _each in range(3)]
    for post in waits:
        schedule_post(post, at=at)
    failed, plain = sent(place, outcome=REJECTED), draft(place)
    ids = [post.pk for post in (*waits, plain)]
    moved = ada.post(
        "posts/bulk/reschedule",
        {"ids": [waits[2].pk, waits[0].pk], "scheduled_at": "2031-01-31T09:30:00Z", "interval_minutes": 90},
    )
    assert moved.json() == {"done": 2, "refused": []}
    times = [Post.objects.get(pk=post.pk).scheduled_at for post in (waits[2], waits[0])]
    assert times == [datetime.fromisoformat(f"2031-01-31T{time}:00+00:00") for time in ("09:30", "11:00")]
    cancelled = ada.post("posts/bulk/cancel", {"ids": [*ids, ids[0], 99999]}).json()
    assert cancelled["done"] == 3
    assert [each["id"] for each in cancelled["refused"]] == [99999, plain.pk]
    assert cancelled["refused"][1]["detail"] == "it is draft, nothing of it waits"
    retried = ada.post("posts/bulk/retry", {"ids": [failed.pk, plain.pk]}).json()
    assert (retried["done"], [each["id"] for each in retried["refused"]]) == (1, [plain.pk])
    assert set(Job.objects.filter(type="posts.publish", state="pending").values_list("target_id", flat=True)) == {
        failed.deliveries.get().job.target_id
    }


def test_somebody_elses_posts_are_not_there(ada: Program, place: Account) -> None:
    post = draft(place)
    schedule_post(post, at=clock.now() + timedelta(hours=1))
    eve = Program(person("eve", PUBLISHER))
    answer = eve.post("posts/bulk/cancel", {"ids": [post.pk]}).json()
    assert (answer["done"], "nothing with this id" in answer["refused"][0]["detail"]) == (0, True)
    assert Job.objects.get().state == "pending"
