"""A post follows its object: made, changed, moved and withdrawn as the object says after each change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.db import DEFAULT_DB_ALIAS, connections

from posts.jobs.subjects import describe, follow
from posts.mixins import cancel_post_of_deleted
from posts.models import Account, Media, Post, PostStatus
from posts.selectors.subjects import post_about
from posts.services import following
from posts.services.following import ask_to_follow, follow_subject
from posts.services.posts import cancel_post
from posts.services.subjects import ANNOUNCEMENT
from queue_app import clock
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.outcomes import Done, Fail
from tests.posts.making import LIVE, account, delivery, end
from tests.posts.media.pictures import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)

JPEG = encoded(quarters(), "JPEG")


class Said:
    """What articles say now: groups, as something that any site has, and given a voice for one test."""

    at: Any = None
    accounts: list[Account] = []
    files: list[Any] = []


@pytest.fixture(autouse=True)
def says(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Callable[..., None]:
    """Return a function that sets what articles say."""
    settings.MEDIA_ROOT = tmp_path
    voice: dict[str, Any] = {
        "social_purpose": ANNOUNCEMENT,
        "social_at": lambda self: Said.at,
        "social_media": lambda self: Said.files,
        "social_arguments": lambda self: {"text": self.name, "accounts": Said.accounts},
    }
    for name, value in voice.items():
        monkeypatch.setattr(Group, name, value, raising=False)

    def say(**facts: Any) -> None:
        for name, value in facts.items():
            monkeypatch.setattr(Said, name, value)

    say(at=clock.now() + timedelta(days=1), accounts=[account()], files=[])
    return say


def followed(article: Group) -> Post | None:
    return follow_subject(Group, str(article.pk))


def test_a_post_is_made_and_then_says_what_its_object_says() -> None:
    article = Group.objects.create(name="First")
    made = followed(article)
    assert made is not None
    assert (made.text, made.status, made.scheduled_at) == ("First", PostStatus.SCHEDULED, Said.at)
    Group.objects.filter(pk=article.pk).update(name="Second")
    changed = followed(article)
    assert changed is not None
    assert (changed.pk, changed.text, changed.version > made.version) == (made.pk, "Second", True)
    assert followed(article) == changed


def test_a_time_that_has_just_passed_is_now_and_one_long_past_is_nothing(says: Callable[..., None]) -> None:
    says(at=clock.now() - timedelta(hours=25))
    old = Group.objects.create(name="Old")
    assert followed(old) is None
    says(at=clock.now() - timedelta(hours=23))
    post = followed(old)
    assert post is not None
    assert Job.objects.get(type="posts.publish").run_at <= clock.now()
    version = post.version
    assert followed(old).version == version  # type: ignore[union-attr]


def test_an_object_that_takes_itself_back_withdraws_its_post_and_may_come_again(says: Callable[..., None]) -> None:
    article = Group.objects.create(name="First")
    followed(article)
    later = Said.at + timedelta(days=1)
    says(at=None)
    assert followed(article) is None
    assert not Post.objects.exists()
    says(at=later)
    post = followed(article)
    assert post is not None
    assert (post.status, post.scheduled_at) == (PostStatus.SCHEDULED, later)


def test_what_a_person_cancelled_stays_cancelled(says: Callable[..., None]) -> None:
    article = Group.objects.create(name="First")
    post = followed(article)
    assert post is not None
    cancel_post(post)
    says(at=clock.now() + timedelta(days=2))
    assert followed(article).status == PostStatus.CANCELLED  # type: ignore[union-attr]


def test_what_is_out_stays_whatever_becomes_of_its_object(says: Callable[..., None]) -> None:
    says(at=clock.now())
    article = Group.objects.create(name="First")
    post = followed(article)
    assert post is not None
    end(delivery(post), LIVE)
    says(at=None)
    assert followed(article).text == "First"  # type: ignore[union-attr]


def test_its_files_are_copied_once_and_exchanged_with_the_objects(says: Callable[..., None]) -> None:
    article = Group.objects.create(name="First")
    says(files=[(ContentFile(JPEG, name="cat.jpg"), "A cat")])
    for _ in range(2):
        post = followed(article)
        assert post is not None
        assert post.post_media.get().alt_text == "A cat"
    assert Media.objects.count() == 1
    says(files=[])
    followed(article)
    assert not post.media.exists()


def test_an_object_that_changes_its_files_meanwhile_is_left_to_the_job_of_that_change(
    says: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    article, store = Group.objects.create(name="First"), following.store_media

    def while_copying(*args: Any, **kwargs: Any) -> Media:
        stored = store(*args, **kwargs)
        says(files=[ContentFile(JPEG, name="dog.jpg")])
        return stored

    says(files=[ContentFile(JPEG, name="cat.jpg")])
    monkeypatch.setattr(following, "store_media", while_copying)
    assert followed(article) is None


def test_the_job_follows_and_says_in_words_what_was_refused(says: Callable[..., None]) -> None:
    article = Group.objects.create(name="First")
    ask_to_follow(article)
    job = Job.objects.get(type="posts.follow_subject")
    assert (job.args, job.target_id) == (
        {"model": "auth.group", "key": str(article.pk)},
        f"auth.group:{article.pk}",
    )
    assert describe(job) == "Group “First”"
    says(accounts=[])
    refused = follow(None, **job.args)  # type: ignore[arg-type]
    assert isinstance(refused, Fail)
    assert "choose at least one" in refused.failure.message
    says(accounts=[account()])
    done = follow(None, **job.args)  # type: ignore[arg-type]
    post = post_about(article, ANNOUNCEMENT)
    assert post is not None
    assert done == Done({"post": post.pk, "status": "scheduled"})


def test_an_object_that_is_gone_is_no_error() -> None:
    assert follow(None, "auth.group", "4711") == Done({"post": None})  # type: ignore[arg-type]
    assert describe(Job(args={"model": "auth.group", "key": "4711"})) == "auth.group 4711"
    assert describe(Job(args={"model": "gone.thing", "key": "1"})) == "gone.thing 1"


def test_no_post_is_made_of_an_object_that_is_just_being_deleted() -> None:
    subject = Group.objects.create(name="Hello")

    def make() -> None:
        try:
            follow_subject(Group, str(subject.pk))
        finally:
            connections.close_all()

    maker = threading.Thread(target=make)
    with atomic():
        cancel_post_of_deleted(subject, using=DEFAULT_DB_ALIAS)
        maker.start()
        maker.join(1)
        subject.delete()
    maker.join()
    assert not Post.objects.filter(status=PostStatus.SCHEDULED).exists()
