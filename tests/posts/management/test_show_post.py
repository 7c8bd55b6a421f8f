"""The command that shows a post, for people and as JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from posts.services.posts import schedule_post
from queue_app import clock
from tests.posts.making import account, draft, sent

pytestmark = pytest.mark.django_db


def show(*arguments: object) -> str:
    out = StringIO()
    call_command("show_post", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_json_has_the_post_and_every_delivery() -> None:
    ada, bob = account("Ada"), account("Bob", platform="telegram")
    at = clock.now() + timedelta(hours=1)
    post = schedule_post(draft(ada, bob, text="Hello"), at=at)
    answer = json.loads(show(post.pk, "--json"))
    deliveries = answer.pop("deliveries")
    assert answer == {
        "id": post.pk,
        "status": "scheduled",
        "text": "Hello",
        "scheduled_at": at.isoformat(),
        "timezone": "UTC",
    }
    assert deliveries[0] == {
        "account": ada.pk,
        "account_name": "Ada",
        "platform": "outbox",
        "status": "scheduled",
        "url": "",
        "attempts": 0,
        "explanation": f"Due at {at:%Y-%m-%d %H:%M:%S} UTC.",
    }
    assert [found["account"] for found in deliveries] == [ada.pk, bob.pk]


def test_a_published_post_has_its_link_and_attempts() -> None:
    (found,) = json.loads(show(sent(account()).pk, "--json"))["deliveries"]
    assert (found["status"], found["url"], found["attempts"]) == ("published", "https://outbox.example/1", 1)


def test_people_read_state_link_and_next_step() -> None:
    ada = account("Ada")
    post = sent(ada, text="Hello\nthere")
    first, text, name, link, published = show(post.pk).splitlines()
    assert first.startswith(f"Post {post.pk}: Published, scheduled for ")
    assert text == "  Hello there"
    assert name == f"- Ada (outbox, account {ada.pk}): Published, attempts: 1"
    assert link == "    https://outbox.example/1"
    assert published.startswith("    Published at ")


def test_a_draft_without_text_is_shown_too() -> None:
    post = draft(account(), text="")
    assert show(post.pk).splitlines()[:2] == [f"Post {post.pk}: Draft", "  (no text)"]
    assert json.loads(show(post.pk, "--json"))["scheduled_at"] is None


@pytest.mark.parametrize(
    ("word", "message"),
    [("4711", "There is no post 4711; it may have been deleted"), ("x", "A post's id is a number, not “x”")],
)
def test_what_is_no_post_is_said(word: str, message: str) -> None:
    with pytest.raises(CommandError) as caught:
        show(word)
    assert (str(caught.value), caught.value.returncode) == (message, 1)
