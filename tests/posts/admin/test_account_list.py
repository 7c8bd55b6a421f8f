"""The list of accounts and the page of one: how each stands, what it holds and takes, what may be done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from posts.models import Account, Delivery
from posts.outbox.platform import OutboxPlatform
from posts.publishing.capabilities import Window
from posts.services.accounts import connect_account
from posts.services.posts import publish_now, schedule_post
from posts.services.standing import ask_reconnect
from queue_app import clock, pauses, runner
from queue_app.models import Block
from tests.posts.admin.pages import VIEWER, act, browser, list_of, messages_of, page, person
from tests.posts.making import account, draft, sent

pytestmark = pytest.mark.django_db(transaction=True)
KEEPER = (*VIEWER, "posts.view_all_posts", "posts.change_account", "posts.delete_account")
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def boss() -> Client:
    return browser(person("boss", is_superuser=True))


def do(client: Client, what: str, found: Account, **data: str) -> Any:
    return client.post(reverse(f"admin:posts_account_{what}", args=[found.pk]), data)


def test_the_list_says_how_each_stands_and_puts_first_who_needs_a_person(boss: Client) -> None:
    account("Ada")
    account("Off", enabled=False)
    broken = account("Zoe", platform="webhook", reconnect_reason="reconnect_needed")
    schedule_post(draft(Account.objects.get(name="Ada")), at=clock.now() + timedelta(hours=1))
    text = boss.get(list_of(Account)).content.decode()
    for said in ("Works", "Must be reconnected", "Disabled", "1 post<", "not yet"):
        assert said in text
    assert reverse("admin:posts_account_reconnect", args=[broken.pk]) in text
    assert text.index("Zoe") < text.index("Ada") < text.index(">Off<")


@pytest.mark.parametrize(
    ("needs", "names"),
    [("reconnect", {"Broken"}), ("renewal", {"Ending"}), ("enabling", {"Off"}), ("nothing", {"Fine", "Ending"})],
)
def test_the_list_can_be_asked_for_what_accounts_need(boss: Client, needs: str, names: set[str]) -> None:
    account("Fine")
    account("Broken", reconnect_reason="reconnect_needed")
    account("Off", enabled=False)
    account("Ending", platform="webhook", credentials_expire_at=clock.now() + timedelta(days=3))
    found = boss.get(list_of(Account), {"needs": needs}).context["rows"]
    assert {row.account.name for row in found} == names


def test_an_empty_list_says_what_to_do(boss: Client) -> None:
    assert "No account yet" in boss.get(list_of(Account)).content.decode()
    account("Ada")
    assert "Clear filters" in boss.get(list_of(Account), {"needs": "reconnect"}).content.decode()


def test_the_queries_do_not_grow_with_the_accounts(boss: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(40):
        found = account(f"Account {number}", owner=None)
        schedule_post(draft(found), at=clock.now() + timedelta(hours=1))
    with django_assert_max_num_queries(20):
        boss.get(list_of(Account))
    with django_assert_max_num_queries(30):
        boss.get(page(found))


def test_a_viewer_sees_how_it_stands_and_no_buttons() -> None:
    found = account("Ada", reconnect_reason="reconnect_needed")
    viewer = browser(person("viewer", VIEWER))
    for url in (list_of(Account), page(found)):
        text = viewer.get(url).content.decode()
        assert "Must be reconnected" in text
        for part in ("/reconnect/", "/test/", "/resume/", 'name="action" value='):
            assert part not in text
    for what in ("test", "resume"):
        assert do(viewer, what, found).status_code == 403


@pytest.mark.parametrize("what", ["test", "resume"])
def test_what_is_done_takes_post_and_the_right_person(boss: Client, what: str) -> None:
    hers = account("Hers", owner=person("her"))
    url = reverse(f"admin:posts_account_{what}", args=[hers.pk])
    assert boss.get(url).status_code == 405
    assert browser(None).post(url).status_code == 302
    assert browser(person("keeper", (*VIEWER, "posts.change_account"))).post(url).status_code == 404
    assert browser(person("nobody")).post(url).status_code == 403
    strict = browser(person("strict", is_superuser=True), enforce_csrf_checks=True)
    assert strict.post(url).status_code == 403
    assert not LogEntry.objects.exists()


def test_a_test_says_who_it_is_and_comes_back_to_where_it_was_asked_for(boss: Client) -> None:
    found = connect_account("outbox", {"name": "Ada"})
    answer = do(boss, "test", found, next=list_of(Account))
    assert answer["Location"] == list_of(Account)
    assert "Ada (Outbox) works: it is Ada; access does not end. Nothing was posted." in messages_of(answer)
    assert do(boss, "test", found, next="https://evil.example/")["Location"] == page(found)
    assert LogEntry.objects.first().change_message.startswith("Tested: it is Ada")
    assert not Delivery.objects.exists()


def test_a_test_that_fails_says_why(boss: Client) -> None:
    found = account("Gone", platform="nowhere")
    answer = do(boss, "test", found)
    assert "The test of Gone (nowhere) failed: this site does not know nowhere" in messages_of(answer)


def test_after_reconnecting_the_page_says_what_is_held_and_resumes_it(boss: Client) -> None:
    found = connect_account("outbox", {"name": "Ada"})
    posts = [publish_now(draft(found, text=f"Held {number}")) for number in range(3)]
    ask_reconnect(found, "reconnect_needed")
    runner.run_due("default", "tests")
    text = boss.get(page(found)).content.decode()
    assert "3 posts are due and held." in " ".join(text.split())
    assert "Resume 3" not in text
    answer = boss.post(reverse("admin:posts_account_reconnect", args=[found.pk]), {"name": "Ada", "keeps_keys": ""})
    assert "is connected again. 3 posts are held" in messages_of(answer)
    assert "Resume 3 held posts" in boss.get(page(found)).content.decode()
    answer = do(boss, "resume", found)
    assert "3 held posts go out now" in messages_of(answer)
    runner.run_due("default", "tests")
    assert {Delivery.objects.get(post=post).status for post in posts} == {"published"}
    assert LogEntry.objects.first().change_message == "Resumed; 3 held."


def test_a_paused_account_is_resumed_from_its_page(boss: Client) -> None:
    found = account("Ada")
    pauses.pause(found.block_key, reason=HOSTILE)
    text = boss.get(page(found)).content.decode()
    assert "Paused" in text
    assert HOSTILE not in text
    assert "it held no post" in messages_of(do(boss, "resume", found))
    assert not Block.objects.exists()


def test_capacity_is_told_now_and_at_a_time(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutboxPlatform, "windows", (Window(25, 900),))
    found = account("Ada")
    sent(found)
    for _each in range(3):
        schedule_post(draft(found), at=clock.now() + timedelta(minutes=60))
    text = " ".join(boss.get(page(found)).content.decode().split())
    assert "24 of 25 left in 15 minutes" in text
    assert "; next free" in text
    at = (clock.now() + timedelta(minutes=65)).strftime("%Y-%m-%dT%H:%M")
    text = " ".join(boss.get(page(found), {"at": at, "timezone": "UTC"}).content.decode().split())
    assert "22 of 25 left in 15 minutes" in text
    assert "3 scheduled posts take places until then." in text


@pytest.mark.parametrize(
    "query",
    [
        {"at": "x", "timezone": "UTC"},
        {"at": "2026-03-29T02:30", "timezone": "Europe/Berlin"},
        {"at": "2001-01-01T10:00", "timezone": "UTC"},
        {"at": "9999-12-31T23:59", "timezone": "UTC"},
        {"at": "2030-01-01T10:00", "timezone": HOSTILE},
        {"at": "2030-01-01T10:00\0", "timezone": "UTC"},
        {"at": ""},
    ],
)
def test_a_time_that_is_none_is_said_and_breaks_nothing(boss: Client, query: dict[str, str]) -> None:
    answer = boss.get(page(account("Ada", platform="mastodon")), query)
    assert answer.status_code == 200
    assert HOSTILE not in answer.content.decode()


def test_posts_and_deliveries_of_an_account_without_login_lead_to_reconnect(boss: Client) -> None:
    found = connect_account("outbox", {"name": "Ada"})
    post = publish_now(draft(found))
    begun = draft(found)
    ask_reconnect(found, "login_over")
    reconnect = reverse("admin:posts_account_reconnect", args=[found.pk])
    delivery = post.deliveries.get()
    for url in (list_of(Account), page(found), page(post), page(begun), page(delivery)):
        assert f'href="{reconnect}"' in boss.get(url).content.decode(), url
    viewer = browser(person("viewer", (*VIEWER, "posts.view_all_posts")))
    for url in (page(post), page(delivery)):
        text = viewer.get(url).content.decode()
        assert "Must be reconnected" in text
        assert reconnect not in text


def test_deletion_counts_many_and_names_the_newest(boss: Client, django_assert_max_num_queries: Any) -> None:
    found = account("Ada")
    for number in range(25):
        draft(found, text=f"Draft {number}")
    with django_assert_max_num_queries(20):
        text = act(boss, "delete", found, sure=False).content.decode()
    assert "25 drafts lose it." in text
    assert "Draft 24" in text
    assert "Draft 4”" not in text
    assert "5 more" in text
    act(boss, "delete", found)
    assert not Account.objects.exists()
    assert not Delivery.objects.exists()
