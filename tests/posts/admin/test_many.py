"""Actions on all posts or deliveries that match: counted, handed to the queue in parts, what may be live left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.utils.html import escape

from posts.admin import many
from posts.models import Delivery, Post
from posts.services import bulk
from posts.services.posts import schedule_post
from posts.services.recurrence import make_occurrences, repeat_post
from queue_app import clock
from queue_app.mass import Order
from queue_app.models import Job
from tests.posts.admin.pages import PUBLISHER, browser, list_of, messages_of, person, value
from tests.posts.making import REJECTED, account, draft, sent, unsettled

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A superuser, for whom three are many and a part has two."""
    monkeypatch.setattr(many, "FEW", 2)
    monkeypatch.setattr(bulk, "PART_ROWS", 2)
    return browser(person("boss", is_superuser=True))


def everything(client: Client, kind: type[Model], action: str, query: str = "", **answers: Any) -> Any:
    """Do ``action`` to all that match, as a person does; return the answer to the second step."""
    url, data = list_of(kind) + query, {"action": action, "index": "0", "select_across": "1", **answers}
    asked = client.post(url, data)
    text = asked.content.decode()
    if 'name="warned"' not in text:
        return asked
    return client.post(url, data | {name: value(text, name) for name in ("confirmed", "warned")})


def scheduled(number: int) -> list[Post]:
    ada, at = account("Ada"), clock.now() + timedelta(days=1)
    return [schedule_post(draft(ada, text=f"Number {place}"), at=at) for place in range(number)]


def work() -> list[dict[str, Any]]:
    """Do every part that waits, as a worker would; return their results."""
    parts = Job.objects.filter(type=bulk.BULK_OPERATION, state="pending").order_by("pk")
    found = []
    for part in parts:
        order = Order(part.args["operation"], part.args["actor"], part.created_at, part.args["answers"])
        found.append(bulk.carry_out(order, part.args["job_ids"], part.args["first"]).as_result())
    return found


def test_the_question_counts_and_says_what_is_left_alone(boss: Client) -> None:
    scheduled(3)
    sent(account("Bob"), text="out")
    answer = boss.post(list_of(Post), {"action": "cancel", "index": "0", "select_across": "1"})
    text = answer.content.decode()
    assert "Cancel: 3 posts" in text
    assert "Skipped: 1" in text
    assert "1 posts" in text
    assert "Published: there is nothing to do" in text
    assert "2 parts, about one a second" in text
    assert "No worker runs now" in text


def test_parts_do_it_and_the_list_says_how_far_they_are(boss: Client) -> None:
    posts = scheduled(3)
    answer = everything(boss, Post, "cancel")
    assert "3 posts, in 2 parts" in messages_of(answer)
    assert "Cancel of 3 posts by boss: 0 of 2 parts done" in boss.get(list_of(Post)).content.decode()
    assert work() == [{"done": 2, "skipped": 0, "why": []}, {"done": 1, "skipped": 0, "why": []}]
    assert {Post.objects.get(pk=post.pk).status for post in posts} == {"cancelled"}


def test_rescheduling_goes_on_where_the_part_before_ended(boss: Client) -> None:
    scheduled(3)
    at = {"at": "2031-05-01T08:00", "timezone": "UTC", "interval_minutes": "10"}
    everything(boss, Post, "reschedule_with_spacing", **at)
    work()
    times = [f"{found:%H:%M}" for found in Post.objects.order_by("pk").values_list("scheduled_at", flat=True) if found]
    assert times == ["08:00", "08:10", "08:20"]


def test_what_failed_is_retried_once_and_what_may_be_live_never(boss: Client) -> None:
    for name in ("One", "Two", "Three"):
        sent(account(name), outcome=REJECTED)
    unsettled(account("Silent"))
    everything(boss, Delivery, "retry")
    (first, second) = work()
    assert first["done"] + second["done"] == 3
    assert set(Delivery.objects.values_list("status", flat=True)) == {"scheduled", "needs_review"}
    again = work()
    assert sum(part["done"] for part in again) == 0
    assert sum(part["skipped"] for part in again) == 3


def test_a_time_beyond_the_calendar_is_a_reason_and_no_crash(boss: Client) -> None:
    (post,) = scheduled(1)
    answers = {"instant": "2031-05-01T08:00:00+00:00", "interval_minutes": 525_600}
    order = Order("post.reschedule_with_spacing", "boss", clock.now(), answers)
    report = bulk.carry_out(order, [post.pk], 9_000)
    assert report.done == 0
    assert "ten years" in report.skipped[0][1]


@pytest.mark.parametrize("action", ["cancel", "delete"])
def test_all_future_ones_of_what_repeats_means_them_here_too(action: str, boss: Client) -> None:
    posts = scheduled(3)
    recurrence = repeat_post(posts[0], rule="FREQ=DAILY")
    make_occurrences(recurrence.pk)
    text = f"{list_of(Post)}?scheduled_at__lt={(clock.now() + timedelta(hours=30)).isoformat().replace('+', '%2B')}"
    everything(boss, Post, action, text.removeprefix(list_of(Post)), scope="future")
    assert sum(part["done"] for part in work()) == 3
    recurrence.refresh_from_db()
    assert recurrence.ended_at is not None
    assert not Post.objects.filter(status="scheduled").exists()


@pytest.mark.parametrize("change", ["may no longer", "is gone"])
def test_the_person_must_still_be_allowed_to(change: str, boss: Client) -> None:
    grace = person("grace", (*PUBLISHER, "posts.view_all_posts"))
    scheduled(3)
    everything(browser(grace), Post, "cancel")
    if change == "is gone":
        User.objects.filter(pk=grace.pk).update(is_active=False)
    grace.user_permissions.clear()
    assert sum(part["done"] for part in work()) == 0
    assert set(Post.objects.values_list("status", flat=True)) == {"scheduled"}


def test_a_post_that_went_meanwhile_is_said(boss: Client) -> None:
    posts = scheduled(3)
    everything(boss, Post, "delete")
    Post.objects.filter(pk=posts[0].pk).delete()
    results = work()
    assert [why for part in results for why in part["why"]] == [f"post {posts[0].pk}: it is gone"]
    assert not Post.objects.exists()


def test_an_action_on_single_rows_refuses_a_crowd(boss: Client) -> None:
    scheduled(3)
    assert "takes at most 2 at a time" in messages_of(everything(boss, Post, "schedule"))


def test_only_what_the_person_sees_is_touched(boss: Client) -> None:
    scheduled(4)
    answer = everything(browser(person("other", PUBLISHER)), Post, "cancel")
    assert "There is nothing to do" in answer.content.decode()
    assert set(Post.objects.values_list("status", flat=True)) == {"scheduled"}


def test_names_in_the_question_stay_text(boss: Client) -> None:
    ada = account("Ada")
    for place in range(3):
        schedule_post(draft(ada, text=f"<b>{place}</b>"), at=clock.now() + timedelta(days=1))
    text = boss.post(list_of(Post), {"action": "cancel", "index": "0", "select_across": "1"}).content.decode()
    assert escape("<b>0</b>") in text
    assert "<b>0</b>" not in text
