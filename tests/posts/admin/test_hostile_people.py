"""Hostile people: who reaches which page, forms of other sites, questions about hidden columns, taken accounts."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import models
from django.test import Client
from django.urls import URLPattern, reverse

from posts.models import Account, Delivery, Media, Post, Recurrence
from posts.services.accounts import connect_account
from posts.services.standing import ask_reconnect
from queue_app import blocks, clock
from queue_app.models import Attempt, Block, BlockKind, Breaker, Job, Limit, MaintenanceWindow, Notice, Worker
from tests.posts.admin.pages import EDITOR, VIEWER, browser, edit_form, form, list_of, messages_of, page, person
from tests.posts.admin.test_permissions import PEOPLE
from tests.posts.feeding import source as feed
from tests.posts.making import REJECTED, account, delivery, draft, picture, sent

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

SEES_POSTS = {"viewer", "editor", "publisher", "operator", "librarian"}
SEES_MEDIA = {"viewer", "editor", "publisher", "librarian"}
WRITES = {"editor", "publisher"}
VIEWS = ("changelist", "history", "change")
READ_ONLY = ("attempt", "event", "worker", "notice")
OPERATED = ("job", "block", "maintenancewindow", "limit", "breaker")
# Who may look at each page, beside a superuser. A page without a line here fails the first test below.
PAGES: dict[str, set[str]] = {
    **{f"posts_{kind}_{view}": SEES_POSTS for kind in ("post", "delivery", "account") for view in VIEWS},
    **{f"posts_media_{view}": SEES_MEDIA for view in VIEWS},
    **{f"queue_app_{kind}_{view}": {"operator"} for kind in OPERATED for view in VIEWS},
    **{f"queue_app_{kind}_{view}": set() for kind in READ_ONLY for view in VIEWS},
    "posts_media_upload": {"editor", "publisher", "librarian"},
    "posts_media_pick": SEES_MEDIA,
    "posts_media_tags": SEES_MEDIA,
    **{f"posts_recurrence_{view}": SEES_POSTS for view in VIEWS},
    "posts_post_add": WRITES,
    "posts_post_import": WRITES,
    "posts_post_export": SEES_POSTS,
    "posts_post_when": WRITES,
    "posts_post_next_slot": WRITES,
    "posts_account_slots": SEES_POSTS,
    "posts_account_add": {"operator"},
    "posts_account_reconnect": {"operator"},
    "posts_account_failure": {"operator"},
    "posts_account_texts": {"operator"},
    **{f"posts_telegramsource_{view}": {"operator"} for view in (*VIEWS, "add", "delete")},
    "queue_app_block_add": {"operator"},
    "queue_app_maintenancewindow_add": {"operator"},
    "queue_app_maintenancewindow_delete": {"operator"},
}
# Nobody, superusers included.
CLOSED = {
    *(f"posts_{kind}_delete" for kind in ("post", "delivery", "account", "media", "recurrence")),
    *(f"queue_app_{kind}_delete" for kind in ("job", "block", "limit", "breaker", *READ_ONLY)),
    *(f"posts_{kind}_add" for kind in ("delivery", "media", "recurrence")),
    *(f"queue_app_{kind}_add" for kind in ("job", "limit", "breaker", *READ_ONLY)),
}
# Pages that are of no one row.
WITHOUT_ROW = ("_add", "_changelist", "_upload", "_pick", "_tags", "_import", "_export", "_when", "_next_slot")
# What a person comes back to from a network's page is tested with logging in; what takes forms alone, answers with a
# part of a page, or shows one's own keys, webhooks and choices, in the table of every view and beside its view.
ELSEWHERE = {
    *(f"posts_account_{name}" for name in ("callback", "choose", "resume", "test")),
    *(f"posts_calendar_{name}" for name in ("drop", "move", "undo")),
    "posts_telegramsource_webhook",
    *(f"queue_app_apikey_{view}" for view in (*VIEWS, "add", "delete")),
    *(f"posts_webhookendpoint_{view}" for view in (*VIEWS, "add", "delete", "edit", "secret")),
    "queue_app_notifications",
    *("posts_attention", "posts_calendar", "posts_post_preview", "posts_post_preview_stored", "queue_app_dashboard"),
}


def rows_of(owner: Any) -> dict[type[models.Model], models.Model]:
    """One row of each kind, the posts and pictures ``owner``'s."""
    now = clock.now()
    post = sent(account("Ada"), outcome=REJECTED, media=[picture(owner=owner)], owner=owner)
    found = delivery(post)
    assert found.job is not None
    worker = Worker.objects.create(
        name="w", cluster="c", queues={"default": 1}, host="h", pid=1, start_ticks="1", version="1",
        started_at=now, heartbeat_at=now, types=["posts.publish"],
    )  # fmt: skip
    block = blocks.place("type:other", BlockKind.PAUSE, now=now)
    window = MaintenanceWindow.objects.create(name="Backup", weekdays=[0], starts="02:30", duration_minutes=60)
    limit, breaker = Limit.objects.create(key="account:7"), Breaker.objects.create(key="platform:x")
    event = found.job.events.earliest("id")
    rows = [post, found, found.account, Media.objects.get(), found.job, Attempt.objects.get(), worker, block, window]
    series = Recurrence.objects.create(
        owner=owner, rule="FREQ=DAILY", first_wall_time="2026-11-27T14:05:00", timezone="UTC"
    )
    rows += [limit, breaker, event, series, feed(owner=owner or User.objects.create_user("feeder"))]
    return {type(row): row for row in [*rows, Notice.objects.get()]}


def addresses(rows: dict[type[models.Model], models.Model]) -> dict[str, str]:
    found = {}
    for name in [*PAGES, *CLOSED]:
        kind = apps.get_model(*re.fullmatch(r"(posts|queue_app)_([a-z]+)_.*", name).groups())  # type: ignore[union-attr]  # all match
        needs_row = not name.endswith(WITHOUT_ROW)
        found[name] = reverse(f"admin:{name}", args=[rows[kind].pk] if needs_row else [])
    return found


def test_every_page_has_a_line() -> None:
    names = {pattern.name for pattern in admin.site.get_urls() if isinstance(pattern, URLPattern)}
    names |= {part.name for pattern in admin.site.get_urls() for part in getattr(pattern, "url_patterns", ())}
    assert {name for name in names if name and name.startswith(("posts_", "queue_app_"))} == {
        *PAGES,
        *CLOSED,
        *ELSEWHERE,
    }


@pytest.mark.parametrize("who", [*PEOPLE, "anonymous", "superuser"])
def test_a_page_is_for_exactly_these(who: str) -> None:
    user = None if who == "anonymous" else person(who, PEOPLE.get(who, ()), is_superuser=who == "superuser")
    urls = addresses(rows_of(user))
    client = browser(user)
    for name, url in urls.items():
        allowed = name in PAGES and (who == "superuser" or who in PAGES[name])
        expected = 302 if who == "anonymous" else 200 if allowed else 403
        answer = client.get(url)
        assert answer.status_code == expected, (who, name)
        if who == "anonymous":
            assert answer["Location"].startswith("/admin/login/")


def everything() -> str:
    """Return all that a request could have changed."""
    kinds = [kind for kind in apps.get_models() if kind._meta.app_label in ("posts", "queue_app", "auth", "admin")]
    return repr([list(kind._default_manager.order_by("pk").values()) for kind in kinds])


def test_looking_changes_nothing_whatever_the_address_says() -> None:
    boss = browser(person("boss", is_superuser=True))
    urls = addresses(rows_of(None))
    boss.get(urls["posts_post_changelist"])
    before = everything()
    said = {"action": "delete", "confirmed": "1", "warned": "", "_selected_action": "1", "index": "0", "post": "yes"}
    said |= {"_publish_surely": "1", "text": "x", "key": "all", "name": "x", "failure": "lost", "times": "1"}
    for url in urls.values():
        for method in (boss.get, boss.head):
            method(url, said)
    assert everything() == before


def test_nothing_is_taken_from_a_form_of_another_site() -> None:
    boss = browser(person("boss", is_superuser=True), enforce_csrf_checks=True)
    urls = addresses(rows_of(None)) | {"upload": reverse("posts:upload")}
    before = everything()
    for name, url in urls.items():
        assert boss.post(url, {"name": "x", "text": "x", "key": "all", "confirmed": "yes"}).status_code == 403, name
    assert everything() == before


@pytest.mark.parametrize(
    "kind", [Post, Delivery, Account, Media, Job, Attempt, Worker, Block, MaintenanceWindow, Notice]
)
@pytest.mark.parametrize(
    "lookup",
    [
        "sealed_credentials__startswith",
        "account__sealed_credentials__startswith",
        "owner__password__startswith",
        "post__owner__password__regex",
        "deliveries__account__sealed_credentials__contains",
        "job__args__contains",
        "pk__in",
        "id__regex",
        "status__regex",
        "text__startswith",
    ],
)
def test_lists_answer_no_question_about_hidden_columns(kind: Any, lookup: str) -> None:
    boss = browser(person("boss", is_superuser=True))
    assert boss.get(list_of(kind), {lookup: "a"}).status_code == 400


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        ("user", "password__startswith"),
        ("user", "groups__user__password__regex"),
        ("group", "user__password__startswith"),
    ],
)
def test_nor_do_the_lists_of_people(model: str, lookup: str) -> None:
    boss = browser(person("boss", is_superuser=True))
    assert boss.get(reverse(f"admin:auth_{model}_changelist"), {lookup: "p"}).status_code == 400


def test_orders_and_columns_of_a_list_are_its_own() -> None:
    boss = browser(person("boss", is_superuser=True))
    for query in ({"o": "sealed_credentials"}, {"o": "-99.99"}, {"p": "9" * 400}, {"_to_field": "sealed_credentials"}):
        assert boss.get(list_of(Account), query, follow=True).status_code in (200, 400)


AWAY = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "javascript:alert(1)",
    "http:evil.example",
    "https://testserver@evil.example/",
    "/admin/\r\nSet-Cookie: a=b",
]


@pytest.mark.parametrize("target", AWAY)
def test_nobody_is_sent_away(target: str) -> None:
    boss = browser(person("boss", is_superuser=True))
    post = draft(account("Ada"))
    data = {"action": "cancel", "index": "0", "_selected_action": post.pk, "next": target}
    text = boss.post(list_of(Post), data).content.decode()
    assert "evil.example" not in text
    assert "javascript:" not in text
    answers = [
        boss.post(list_of(Post), data | {"confirmed": "1", "warned": ""}),
        boss.post(f"{reverse('posts:upload')}?next={target}", HTTP_ACCEPT="text/html"),
        Client().get("/admin/", {"next": target}),
    ]
    for answer in answers:
        where = answer.headers.get("Location", "")
        assert where == "" or where.startswith("/admin/")
        assert "\n" not in where
        assert "a" not in answer.cookies


@pytest.fixture
def hers() -> Account:
    """An outbox account of somebody else, which waits to be reconnected."""
    found = connect_account("outbox", {"name": "Hers"}, owner=person("her", EDITOR))
    ask_reconnect(found, "reconnect_needed")
    return found


@pytest.mark.parametrize("shared", [True, False])
def test_connecting_takes_over_no_account_of_others(hers: Account, shared: bool) -> None:
    if shared:
        Account.objects.update(owner=None)
    before = Account.objects.values().get()
    mallory = person("mallory", (*VIEWER, "posts.add_account"))
    answer = browser(mallory).post(
        reverse("admin:posts_account_add") + "?platform=outbox", {"name": "Hers", "keeps_keys": "no"}
    )
    assert "is connected already" in answer.content.decode()
    assert Account.objects.values().get() == before
    assert Block.objects.filter(key=hers.block_key).exists()
    assert not LogEntry.objects.exists()


def test_an_owner_and_an_operator_may_connect_it_again(hers: Account) -> None:
    url = reverse("admin:posts_account_add") + "?platform=outbox"
    hers.owner.user_permissions.add(*person("x", ("posts.add_account",)).user_permissions.all())  # type: ignore[union-attr]  # has one
    for who in (hers.owner, person("op", PEOPLE["operator"])):
        answer = browser(who).post(url, {"name": "Hers"})
        assert "is connected" in messages_of(answer)
    assert Account.objects.get().owner == hers.owner


def test_a_form_for_ones_own_post_takes_nothing_of_others() -> None:
    """Ids of accounts, pictures and posts that are somebody else's, in a form that is one's own."""
    other = person("other", EDITOR)
    theirs, secret = account("Theirs", owner=other), picture(owner=other)
    post = draft(theirs, owner=other, text="private")
    mine = person("mine", EDITOR)
    client = browser(mine)
    own = draft(account("Ada"), owner=mine)
    fields = edit_form(client, own, theirs, picture=str(secret.pk), **{f"own_{theirs.pk}": "x"})
    client.post(page(own), fields)
    own.refresh_from_db()
    assert not own.deliveries.filter(account=theirs).exists()
    assert not own.post_media.exists()
    taken = uuid.uuid4()
    Post.objects.filter(pk=post.pk).update(form_token=taken)
    add = reverse("admin:posts_post_add")
    again = form(theirs, text="x", picture=str(secret.pk), token=str(taken))
    assert "private" not in client.post(add, again, follow=True).content.decode()
    assert client.post(add, form(theirs, text="x", picture=str(secret.pk))).status_code == 302
    assert not Delivery.objects.filter(account=theirs).exclude(post=post).exists()
    assert list(secret.post_media.all()) == []
