"""The dashboard and the banner of people who publish: their own posts, numbers that the lists have, what is paused."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from posts.models import Account, Delivery, Post
from posts.services.schedule import schedule_post
from posts.services.standing import ask_reconnect
from queue_app import clock, pauses
from queue_app.models import Job
from tests.posts.admin.pages import PUBLISHER, VIEWER, browser, person
from tests.posts.making import REJECTED, account, draft, sent, unsettled

pytestmark = pytest.mark.django_db

URL = "/admin/queue_app/job/dashboard/"
BANNER = "/admin/posts/post/attention/"
NEED = re.compile(r'class="sq-need" href="([^"]*)".*?<span>(\d+)</span></span> <strong>([^<]*)<')


@pytest.fixture
def boss() -> Client:
    return browser(person("boss", is_superuser=True))


def late(to: Account, **fields: Any) -> Post:
    """Return a post that has been due for an hour and is not out."""
    post = schedule_post(draft(to, **fields), at=timezone.now() + timedelta(hours=1), timezone="UTC")
    Job.objects.filter(delivery__post=post).update(run_at=clock.now() - timedelta(hours=1))
    return post


def needs(client: Client) -> dict[str, int]:
    """Return what stands first and how often; the list behind each has as many rows."""
    found = {
        label: (html.unescape(url), int(number))
        for url, number, label in NEED.findall(client.get(URL).content.decode())
    }
    for label, (url, number) in found.items():
        assert client.get(url).context["cl"].result_count == number, label
    return {label: number for label, (_url, number) in found.items()}


def test_what_needs_a_person_has_the_numbers_of_its_lists(boss: Client) -> None:
    assert needs(boss) == {}
    assert "All is well" in boss.get(URL).content.decode()
    unsettled(account("Ada"))
    sent(account("Bob"), outcome=REJECTED)
    sent(account("Bert"), outcome=REJECTED)
    ask_reconnect(account("Eve"), "reconnect_needed")
    late(account("Lea"))
    assert needs(boss) == {"to review": 1, "accounts to reconnect": 1, "failed": 2, "late": 1}


def test_is_about_what_the_person_may_see() -> None:
    owner = person("owner", PUBLISHER)
    late(account("Ada", owner=owner), owner=owner)
    sent(account("Bob", owner=owner), owner=owner, outcome=REJECTED, text="hers")
    assert needs(browser(owner)) == {"failed": 1, "late": 1}
    text = browser(person("other", VIEWER)).get(URL).content.decode()
    assert needs(browser(person("third", VIEWER))) == {}
    assert "hers" not in text
    assert "Ada" not in text
    assert "Pause switches" not in text


def test_posts_are_counted_by_state_with_links(boss: Client) -> None:
    sent(account("Ada"))
    draft(account("Bob"))
    text = boss.get(URL).content.decode()
    for state in ("published", "draft"):
        url = f"{reverse('admin:posts_post_changelist')}?status__exact={state}"
        assert f'href="{url}"' in text
        assert boss.get(url).context["cl"].result_count == 1
    assert re.search(r"<dd>1</dd>", text)
    assert "100.0%" in text


def test_what_goes_out_next_stands_with_its_accounts(boss: Client) -> None:
    post = schedule_post(
        draft(account("<b>Ada</b>"), text="<i>Soon</i>"), at=timezone.now() + timedelta(hours=1), timezone="UTC"
    )
    text = boss.get(URL).content.decode()
    assert f'href="{reverse("admin:posts_post_change", args=[post.pk])}"' in text
    assert "&lt;i&gt;Soon&lt;/i&gt; → &lt;b&gt;Ada&lt;/b&gt; (Outbox)" in text


def test_the_first_page_has_the_panels_above_the_apps(boss: Client) -> None:
    text = boss.get("/admin/").content.decode()
    assert text.index("First steps") < text.index('id="dashboard"') < text.index('id="content-related"')
    assert 'id="dashboard"' not in browser(person("nobody")).get("/admin/").content.decode()


def test_every_account_has_a_switch_and_what_is_paused_is_said_on_every_page(boss: Client) -> None:
    ada = account("Ada")
    everywhere = ("/admin/", reverse("admin:auth_user_changelist"), reverse("admin:posts_post_add"), BANNER)
    assert 'Pause…<span class="visually-hidden"> Ada (Outbox)<' in boss.get(URL).content.decode()
    assert not any("Paused:" in boss.get(url).content.decode() for url in everywhere)
    pauses.pause(ada.block_key)
    for url in everywhere:
        assert "Paused: Ada (Outbox)" in " ".join(boss.get(url).content.decode().split())
    assert 'Resume…<span class="visually-hidden"> Ada (Outbox)<' in boss.get(URL).content.decode()
    pauses.resume(ada.block_key)
    assert "Paused:" not in boss.get("/admin/").content.decode()


def test_a_paused_account_of_others_is_not_named() -> None:
    hers = account("Hers", owner=person("her"))
    pauses.pause(hers.block_key)
    text = browser(person("other", VIEWER)).get(BANNER).content.decode()
    assert "Hers" not in text
    assert hers.block_key in text


def test_the_banner_is_read_again_by_those_whom_it_concerns(boss: Client) -> None:
    assert browser(None).get(BANNER).status_code == 302
    assert browser(person("nobody")).get(BANNER).status_code == 403
    assert b"No worker is alive" in browser(person("op", ("queue_app.view_job",))).get(BANNER).content
    answer = boss.get(BANNER)
    assert f'hx-get="{BANNER}"'.encode() in answer.content
    assert b"<html" not in answer.content
    assert f'hx-get="{BANNER}"'.encode() not in browser(person("none")).get("/admin/").content


def test_a_message_waits_for_the_page_that_it_is_for(boss: Client) -> None:
    post = draft(account("Ada"))
    assert boss.get(reverse("admin:posts_post_change", args=[999])).status_code == 302  # with a message
    page = reverse("admin:posts_post_change", args=[post.pk])
    assert b"messagelist" not in boss.get(page, headers={"X-Live": "1"}).content
    assert b"messagelist" in boss.get(page).content


def test_asks_the_same_queries_however_much_there_is(boss: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        each = account(f"A{number}")
        schedule_post(draft(each, text=f"post {number}"), at=timezone.now() + timedelta(hours=1), timezone="UTC")
        late(each)
        pauses.pause(each.block_key)
    assert Delivery.objects.count() == 24
    for url, most in ((URL, 28), ("/admin/", 30), (BANNER, 10)):
        boss.get(url)
        with django_assert_max_num_queries(most):
            boss.get(url)
