"""The previews and remarks that the composer asks for while somebody types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from posts.models import Delivery, Media, Post
from posts.services.posts import schedule_post
from queue_app import clock
from queue_app.models import Job
from tests.posts.admin.pages import EDITOR, PUBLISHER, VIEWER, browser, form, person
from tests.posts.making import account, draft, picture, sent
from tests.posts.media.pictures import encoded, quarters

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "/admin/posts/post/preview/"


@pytest.fixture
def grace() -> Client:
    return browser(person("grace", PUBLISHER))


def stored_url(post: Post) -> str:
    return reverse("admin:posts_post_preview_stored", args=[post.pk])


def test_shows_the_post_on_each_chosen_account_and_saves_nothing(grace: Client) -> None:
    ada, bob, eve = account("Ada"), account("Bob", "bluesky"), account("Eve")
    text = grace.post(NEW, form(ada, bob, text="One\nTwo https://a.example #tag", **{f"own_{bob.pk}": "For Bob"}))
    answer = text.content.decode()
    assert 'aria-label="Ada on Outbox"' in answer
    assert (
        '<p class="sq-preview-text" dir="auto">One\nTwo <span class="sq-marked">https://a.example</span> #tag</p>'
        in answer
    )
    assert '<p class="sq-preview-text" dir="auto">For Bob</p>' in answer
    assert "Eve on Outbox" not in answer
    assert f'id="said_{eve.pk}" hx-swap-oob="true"' in answer
    assert [kind.objects.count() for kind in (Post, Delivery, Job)] == [0, 0, 0]


def test_hostile_text_stays_text(grace: Client) -> None:
    hostile = '<script>alert(1)</script> https://a.example/"onload="x <img src=x onerror=alert(1)> {{ secret }}'
    text = grace.post(NEW, form(account("<b>Ada</b>"), text=hostile)).content.decode()
    assert "<script" not in text
    assert "<img" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ secret }}" in text


def test_says_what_is_wrong_beside_the_account_without_a_button(grace: Client, settings: Any) -> None:
    ada, bob = account("Ada", "bluesky"), account("Bob")
    text = grace.post(NEW, form(ada, bob, text="x" * 312)).content.decode()
    assert text.index(f'id="account_{ada.pk}_errors"') < text.index("312 characters, the limit is 300")
    assert f"account_{bob.pk}_errors" not in text
    assert '<span class="sq-length sq-over">312 / 300</span>' in text


def test_an_empty_page_is_not_called_wrong(grace: Client) -> None:
    text = grace.post(NEW, form(account("Ada"), text=" ")).content.decode()
    assert "errorlist" not in text
    assert "Write something" in text
    assert "Choose an account" in grace.post(NEW, form(text="Hello")).content.decode()


def test_names_a_post_with_the_same_text_and_links_only_ones_own(grace: Client) -> None:
    ada = account("Ada")
    mine = sent(ada, text="Fresh bread", owner=Post.owner.field.related_model.objects.get(username="grace"))
    text = grace.post(NEW, form(ada, text="fresh  BREAD")).content.decode()
    assert "Ada has published the same text:" in text
    assert reverse("admin:posts_post_change", args=[mine.pk]) in text
    Post.objects.update(owner=None)
    text = grace.post(NEW, form(ada, text="fresh  BREAD")).content.decode()
    assert "Ada has published the same text:" in text
    assert reverse("admin:posts_post_change", args=[mine.pk]) not in text


def test_a_stored_post_is_no_repetition_of_itself(grace: Client) -> None:
    ada = account("Ada")
    owner = Post.owner.field.related_model.objects.get(username="grace")
    post = schedule_post(draft(ada, text="Fresh bread", owner=owner), at=clock.now())
    text = grace.post(stored_url(post), form(ada, text="Fresh bread")).content.decode()
    assert "the same text" not in text
    assert "Ada on Outbox" in text


def test_files_that_come_with_the_form_are_not_stored(grace: Client, settings: Any, tmp_path: Path) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    settings.MEDIA_ROOT = tmp_path
    cat = SimpleUploadedFile("cat.png", encoded(quarters(), "PNG"))
    assert grace.post(NEW, form(account(), new_pictures=[cat])).status_code == 200
    assert not Media.objects.exists()


def test_is_for_those_who_may_write(grace: Client) -> None:
    post = draft(account("Ada"), owner=person("owner"))
    fields = form(text="Hello")
    assert browser(None).post(NEW, fields).status_code == 302
    for who in (person("nobody"), person("viewer", VIEWER)):
        assert browser(who).post(NEW, fields).status_code == 403
        assert browser(who).post(stored_url(post), fields).status_code in (403, 404)
    assert browser(person("ed", EDITOR)).post(NEW, fields).status_code == 200
    assert grace.post(stored_url(post), fields).status_code == 404
    assert grace.post("/admin/posts/post/99999/preview/", fields).status_code == 404
    strict = browser(person("csrf", PUBLISHER), enforce_csrf_checks=True)
    assert strict.post(NEW, fields).status_code == 403
    assert grace.get(NEW).status_code == 405


@pytest.mark.parametrize("nonsense", ["\u00b2", "9" * 30, "abc", "-1", "\0"])
def test_nonsense_is_no_error(grace: Client, nonsense: str) -> None:
    ada = account("Ada")
    for name in ("picture", "accounts", "fold", "version", "goes_out", "timezone", "token", "thread_mode", "text"):
        assert grace.post(NEW, form(ada) | {name: nonsense}).status_code == 200


def test_asks_the_database_the_same_for_one_account_and_for_many(
    grace: Client, django_assert_max_num_queries: Any
) -> None:
    pictures = [picture(owner=None) for _ in range(3)]
    accounts = [account(f"A{n}", "bluesky") for n in range(12)]
    fields = form(*accounts, picture=[each.pk for each in pictures])
    grace.post(NEW, fields)
    with django_assert_max_num_queries(15):
        assert grace.post(NEW, fields).content.decode().count("<article") == 12
