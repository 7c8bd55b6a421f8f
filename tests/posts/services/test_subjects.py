"""Posts about an object of the host: one for each object and purpose, up to date until it goes out."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.db import transaction

from posts import api
from posts.models import Delivery, DeliveryStatus, Media, Post, PostStatus
from queue_app import clock
from queue_app.database import atomic
from queue_app.models import Job
from tests.posts.making import LIVE, account, begin, delivery, end, picture, user
from tests.posts.media.pictures import encoded, quarters
from tests.posts.services.test_posts_races import together

pytestmark = pytest.mark.django_db

JPEG = encoded(quarters(), "JPEG")


def article(name: str = "On time") -> Group:
    """Return something of the host; any saved object will do."""
    return Group.objects.create(name=name)


def tomorrow(hours: float = 0) -> Any:
    return clock.now() + timedelta(days=1, hours=hours)


def test_one_call_publishes_an_object() -> None:
    ada, bob, subject = account("Ada"), account("Bob"), article()
    post = api.publish(subject, text="Hello", accounts=[ada, bob], language="en", tags=["news"])
    assert (post.status, post.origin) == (PostStatus.SCHEDULED, f"subject:auth.group:{subject.pk}:announcement")
    assert (post.text, post.language, [str(tag) for tag in post.tags.all()]) == ("Hello", "en", ["news"])
    assert Job.objects.filter(type="posts.publish", run_at__lte=clock.now()).count() == 2
    assert list(api.posts_of(subject)) == [api.post_of(subject, "announcement")] == [post]


def test_what_the_host_rolls_back_was_never_a_post() -> None:
    class Change(Exception):
        pass

    def change_much() -> None:
        with transaction.atomic():
            api.publish(article("rolled back"), text="Hello", accounts=[account()])
            raise Change

    with pytest.raises(Change):
        change_much()
    assert not Post.objects.exists()
    assert not Job.objects.filter(type="posts.publish").exists()


def test_a_refused_post_leaves_the_hosts_transaction_usable() -> None:
    with transaction.atomic():
        subject = article()
        with pytest.raises(api.ValidationFailed, match="choose at least one"):
            api.publish(subject, text="Hello")
    assert Group.objects.filter(pk=subject.pk).exists()
    assert not api.posts_of(subject).exists()


def test_the_same_again_is_the_same_post_unchanged() -> None:
    subject, at = article(), tomorrow()
    publish = partial(api.publish, subject, text="Hello", accounts=[account()], at=at, timezone="Europe/Berlin")
    first = publish()
    assert publish().version == first.version
    assert Post.objects.count() == 1


def test_while_it_waits_a_post_follows_its_object_and_keeps_what_a_person_added() -> None:
    ada, bob, subject = account("Ada"), account("Bob"), article()
    post = api.publish(subject, text="Hello", accounts=[ada], at=tomorrow(), own_texts={ada.pk: "For Ada"})
    later = tomorrow(2)
    changed = api.publish(subject, text="Hello again", accounts=[ada, bob], at=later)
    assert (changed.pk, changed.text, changed.scheduled_at) == (post.pk, "Hello again", later)
    assert delivery(changed, ada).text_override == "For Ada"
    assert {job.run_at for job in Job.objects.filter(type="posts.publish")} == {later}
    now = api.publish(subject)
    assert now.text == "Hello again"
    assert not Job.objects.filter(type="posts.publish", run_at__gt=clock.now()).exists()


def test_what_has_gone_out_is_left_as_it_is() -> None:
    subject = article()
    post = api.publish(subject, text="Hello", accounts=[account()])
    end(delivery(post), LIVE)
    after = api.publish(subject, text="Another", accounts=[account("Bob")], at=tomorrow())
    assert (after.pk, after.text, after.status) == (post.pk, "Hello", PostStatus.PUBLISHED)
    assert Delivery.objects.count() == 1


def test_what_is_being_sent_is_left_as_it_is() -> None:
    subject = article()
    post = api.publish(subject, text="Hello", accounts=[account()])
    begin(delivery(post), mark=True)
    assert api.publish(subject, text="Another").text == "Hello"


def test_a_cancelled_post_goes_out_at_another_time_only() -> None:
    subject, at = article(), tomorrow()
    publish = partial(api.publish, subject, text="Hello", accounts=[account()])
    publish(at=at)
    assert api.cancel(subject).cancelled == 1
    assert publish(at=at).status == PostStatus.CANCELLED
    assert publish().status == PostStatus.CANCELLED
    post = publish(at=tomorrow(3))
    assert (post.status, delivery(post).status) == (PostStatus.SCHEDULED, DeliveryStatus.SCHEDULED)


def test_each_purpose_is_a_post_of_its_own() -> None:
    subject, publish = article(), partial(api.publish, text="Hello", accounts=[account()], at=tomorrow())
    announced, reminded = publish(subject), publish(subject, purpose="reminder")
    assert list(api.posts_of(subject)) == [announced, reminded]
    assert api.cancel(subject, purpose="reminder").cancelled == 1
    announced.refresh_from_db()
    assert announced.status == PostStatus.SCHEDULED
    with pytest.raises(ValueError, match="a purpose is a word"):
        publish(subject, purpose="a:b")


def test_objects_are_told_apart_by_their_whole_key() -> None:
    made = [Group(pk=key, name=str(key)) for key in (1, 12)]
    posts = [api.publish(each, text="Hello", accounts=[account()], at=tomorrow()) for each in made]
    assert [list(api.posts_of(each)) for each in made] == [[post] for post in posts]
    # As with a text for a primary key: neither a colon nor the case of a letter makes two of them one.
    keys = [Group(pk=key) for key in ("a", "A", "a:b")]
    posts = [api.publish(each, text="Hello", accounts=[account()], at=tomorrow()) for each in keys]
    assert [list(api.posts_of(each)) for each in keys] == [[post] for post in posts]
    with pytest.raises(ValueError, match="save it first"):
        api.publish(Group(), text="Hello")


def test_rights_are_those_of_the_person_who_acts() -> None:
    with pytest.raises(api.NotAllowed):
        api.publish(article(), text="Hello", accounts=[account()], actor=user(may=["add_post"]))
    assert not Post.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestFiles:
    @pytest.fixture(autouse=True)
    def _folder(self, settings: Any, tmp_path: Path) -> None:
        settings.MEDIA_ROOT = tmp_path

    def test_the_hosts_files_are_copied_once(self) -> None:
        subject, ada = article(), account()
        media = [(ContentFile(JPEG, name="photos/cat.jpg"), "A cat")]
        for _ in range(2):
            post = api.publish(subject, text="Hello", accounts=[ada], media=media, at=tomorrow())
        attached = post.post_media.get()
        assert (attached.alt_text, attached.media.original_name) == ("A cat", "cat.jpg")
        assert Media.objects.count() == 1

    def test_inside_a_transaction_they_must_have_been_stored_before(self) -> None:
        file, upload = ContentFile(JPEG, name="cat.jpg"), api.store_media(ContentFile(JPEG, name="cat.jpg"))
        with pytest.raises(RuntimeError, match="inside a database transaction"), atomic():
            api.publish(article(), text="Hello", accounts=[account()], media=[file])
        with atomic():
            post = api.publish(article("second"), text="Hello", accounts=[account()], media=[upload])
        assert [media.pk for media in post.media.all()] == [upload.pk]

    def test_of_two_at_once_one_makes_the_post(self) -> None:
        subject, ada = article(), account()
        publish = partial(api.publish, subject, text="Hello", accounts=[ada], at=tomorrow())
        posts = together(publish, publish)
        assert {post.pk for post in posts if isinstance(post, Post)} == {Post.objects.get().pk}


def test_uploads_that_are_there_already_can_be_attached() -> None:
    upload = picture()
    post = api.publish(article(), text="Hello", accounts=[account()], media=[upload], at=tomorrow())
    assert post.media.get() == upload
