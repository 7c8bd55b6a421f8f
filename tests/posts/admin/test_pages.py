"""All pages: the banner, the first steps, and that texts from outside stay texts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from posts.models import Account, Delivery, Media, Post
from posts.services.posts import publish_now
from posts.services.standing import ask_reconnect
from queue_app import clock
from queue_app.models import Attempt, Block, Job, MaintenanceWindow, Notice, Worker
from queue_app.outcomes import Fail, Failure
from tests.posts.admin.pages import VIEWER, act, browser, list_of, page, person
from tests.posts.making import REJECTED, account, delivery, draft, picture, sent, unsettled

pytestmark = pytest.mark.django_db

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7|add:7 }}"
INDEX = "/admin/"


@pytest.fixture
def boss() -> Client:
    return browser(person("boss", is_superuser=True))


def worker() -> Worker:
    now = clock.now()
    return Worker.objects.create(
        name="w1", cluster="c", queues={"default": 1}, host="elsewhere", pid=1, start_ticks="1", version="1",
        started_at=now, heartbeat_at=now, types=["posts.publish"],
    )  # fmt: skip


def test_a_missing_worker_is_told_with_the_command_that_starts_one(boss: Client) -> None:
    assert "No worker is alive" in boss.get(INDEX).content.decode()
    assert "python manage.py qcluster" in boss.get(reverse("admin:auth_user_changelist")).content.decode()
    worker()
    assert "No worker is alive" not in boss.get(INDEX).content.decode()


def test_the_banner_counts_what_needs_somebody(boss: Client) -> None:
    worker()
    assert "sq-banner" not in boss.get(INDEX).content.decode().replace("posts/banner.css", "")
    unsettled(account("Ada"))
    sent(account("Bob"), outcome=REJECTED)
    ask_reconnect(account("Eve"), "reconnect_needed")
    text = boss.get(list_of(Job)).content.decode()
    assert "1 to review" in text
    assert "1 failed" in text
    assert "1 account</a>" in text
    links = re.findall(r'href="([^"]*\?needs=(?:review|failed|reconnect))"', text)
    assert len(links) == 3
    assert [boss.get(link).context["cl"].result_count for link in links] == [1, 1, 1]


def test_the_banner_is_about_what_the_person_may_see() -> None:
    worker()
    unsettled(account("Ada"), owner=person("owner"))
    assert "to review" not in browser(person("viewer", VIEWER)).get(INDEX).content.decode()
    assert "to review" not in browser(None).get("/admin/login/").content.decode()


def test_the_index_says_what_to_do_first_and_ticks_it_off(boss: Client) -> None:
    def done() -> int:
        return boss.get(INDEX).content.decode().count('class="sq-done"')

    assert "First steps" in boss.get(INDEX).content.decode()
    assert done() == 0
    ada = account("Ada")
    assert done() == 1
    draft(ada)
    assert done() == 2
    publish_now(draft(ada))
    assert done() == 3
    Post.objects.filter(status="draft").delete()
    sent(ada)
    assert done() == 4
    sent(ada)
    text = boss.get(INDEX).content.decode()
    assert "First steps" not in text
    assert f'href="{list_of(Post)}?status__exact=published"' in text


@pytest.mark.parametrize("kind", [Account, Media, Delivery, Job, Attempt, Worker, Block, MaintenanceWindow, Notice])
def test_empty_lists_say_what_to_do(boss: Client, kind: Any) -> None:
    assert 'class="sq-empty"' in boss.get(list_of(kind)).content.decode()


def test_hostile_texts_stay_texts(boss: Client) -> None:
    bad = Fail(Failure(HOSTILE[:190], HOSTILE, code="content_rejected", traceback=HOSTILE))
    ada = account(HOSTILE)
    cat = picture(HOSTILE, alt_text=HOSTILE)
    post = sent(ada, text=HOSTILE, media=[cat], outcome=bad)
    found = delivery(post)
    Delivery.objects.filter(pk=found.pk).update(
        url=f"javascript:{HOSTILE}", text_override=HOSTILE, response={"a": HOSTILE}
    )
    hostile_draft = draft(ada, text=HOSTILE, own_texts={ada.pk: HOSTILE}, media=[cat])
    assert found.job is not None
    rows = [post, hostile_draft, found, ada, cat, found.job, Attempt.objects.get(), Notice.objects.get()]
    pages = [page(row) for row in rows] + [list_of(type(row)) for row in rows] + [INDEX, page(post, "history")]
    texts = [boss.get(url).content.decode() for url in pages]
    texts += [act(boss, "delete", post, hostile_draft, sure=False).content.decode()]
    texts += [act(boss, "retry", found, sure=False).content.decode()]
    for text in texts:
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert 'href="javascript:' not in text
        assert ">14<" not in text
    for url, text in zip(pages, texts, strict=False):
        assert "&lt;script&gt;alert" in text or url == INDEX, url


def test_no_page_has_inline_scripts_or_styles(boss: Client) -> None:
    post = unsettled(account("Ada"))
    found = delivery(post)
    urls = [INDEX, reverse("admin:posts_post_add"), page(post), page(found), list_of(Post), list_of(Block)]
    window = MaintenanceWindow.objects.create(name="Backup", weekdays=[0], starts="02:30", duration_minutes=60)
    urls += [list_of(MaintenanceWindow), page(window), page(window, "delete")]
    urls += [reverse("admin:queue_app_block_add"), reverse("admin:posts_account_add"), page(found.account)]
    for url in urls:
        text = boss.get(url).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), url
        assert "<style" not in text, url
        assert not re.search(r'\s(style|on\w+)="', text), url
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', text), url


def test_a_picture_shows_where_it_is_used(boss: Client) -> None:
    cat = picture("cat.jpg", alt_text="A cat")
    draft(account("Ada"), text="with a cat", media=[cat])
    assert "1 post" in boss.get(list_of(Media)).content.decode()
    text = boss.get(page(cat)).content.decode()
    assert "with a cat" in text
    assert "A cat" in text
    Media.objects.update(file_deleted_at=clock.now())
    assert "no longer kept" in boss.get(page(cat)).content.decode()


@pytest.mark.urls("tests.posts.admin.bare_urls")
def test_a_site_without_the_apps_addresses_still_has_the_admin(boss: Client) -> None:
    post = draft(account("Ada"), media=[picture()])
    for url in (page(post), reverse("admin:posts_post_add"), list_of(Media), INDEX):
        assert boss.get(url).status_code == 200
