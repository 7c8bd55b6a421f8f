"""Who may do what: every kind of person against every action and every page, as one table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from posts.models import Account, Delivery, Media, Post, Recurrence, WebhookEndpoint
from queue_app.admin.actions import ConfirmedActionsMixin
from queue_app.models import ApiKey, Attempt, Block, Breaker, Event, Job, Limit, Notice, Worker
from tests.posts.admin.pages import EDITOR, PUBLISHER, VIEWER, act, browser, form, list_of, page, person
from tests.posts.hearing import endpoint, listener
from tests.posts.making import account, draft, picture, unsettled

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

OPERATOR = (
    "posts.view_post",
    "posts.view_all_posts",
    "queue_app.view_job",
    "queue_app.operate_job",
    "queue_app.view_block",
    "queue_app.add_block",
    "queue_app.delete_block",
    "queue_app.view_limit",
    "queue_app.view_breaker",
    *(f"queue_app.{what}_maintenancewindow" for what in ("view", "add", "change", "delete")),
    "posts.view_account",
    "posts.add_account",
    "posts.change_account",
    "posts.delete_account",
    *(f"posts.{what}_telegramsource" for what in ("view", "add", "change", "delete")),
    *(f"posts.{what}_webhookendpoint" for what in ("view", "add", "change", "delete")),
    "posts.manage_all_webhooks",
    "queue_app.view_apikey",
    "queue_app.change_apikey",
    "queue_app.manage_all_api_keys",
)
LIBRARIAN = (*VIEWER, "posts.add_media", "posts.change_media", "posts.delete_media")
PEOPLE: dict[str, tuple[str, ...]] = {
    "viewer": VIEWER,
    "editor": EDITOR,
    "publisher": PUBLISHER,
    "operator": OPERATOR,
    "librarian": LIBRARIAN,
    "nobody": (),
}
# For each action of each list, who may start it. An action without a line here fails the test below.
TABLE: dict[tuple[type[Any], str], set[str]] = {
    (Post, "schedule"): {"publisher"},
    (Post, "publish_now"): {"publisher"},
    (Post, "reschedule_with_spacing"): {"publisher"},
    (Post, "retry"): {"publisher"},
    (Post, "cancel"): {"publisher"},
    (Post, "delete"): {"publisher"},
    (Recurrence, "end"): {"publisher"},
    (Recurrence, "extend"): {"publisher"},
    (Delivery, "mark_published"): {"publisher"},
    (Delivery, "check_again"): {"publisher"},
    (Delivery, "retry"): {"publisher"},
    (Delivery, "cancel"): {"publisher"},
    (Media, "keep"): {"librarian"},
    (Media, "let_go"): {"librarian"},
    (Media, "tag"): {"librarian"},
    (Media, "delete"): {"librarian"},
    (Account, "test"): {"operator"},
    (Account, "disable"): {"operator"},
    (Account, "enable"): {"operator"},
    (Account, "delete"): {"operator"},
    (Job, "retry"): {"operator"},
    (Job, "retry_edited"): {"operator"},
    (Job, "cancel"): {"operator"},
    (Job, "hold"): {"operator"},
    (Job, "release"): {"operator"},
    (Job, "reprioritise"): {"operator"},
    (Job, "discard"): {"operator"},
    (Job, "check_again"): {"operator"},
    (Block, "lift"): {"operator"},
    (Limit, "forget"): {"operator"},
    (Breaker, "close"): {"operator"},
    (ApiKey, "revoke"): {"operator"},
    (WebhookEndpoint, "test"): {"operator"},
    (WebhookEndpoint, "send_again"): {"operator"},
    (WebhookEndpoint, "forget"): {"operator"},
    (WebhookEndpoint, "switch_on"): {"operator"},
    (WebhookEndpoint, "switch_off"): {"operator"},
    (WebhookEndpoint, "delete"): {"operator"},
}


@pytest.fixture
def rows() -> dict[type[Any], Any]:
    """One row of each kind, which everybody here may see as far as their permissions go."""
    from queue_app import blocks, clock, keys
    from queue_app.models import BlockKind

    post = unsettled(account("Ada"))
    delivery = post.deliveries.get()
    block = blocks.place("type:other", BlockKind.PAUSE, now=clock.now())
    found = {Post: post, Delivery: delivery, Account: delivery.account, Job: delivery.job, Block: block}
    limit = Limit.objects.create(key="account:7", used=1)
    breaker = Breaker.objects.create(key="account:7", trips=1, open_until=clock.now() + timedelta(hours=1))
    key, _secret = keys.create_key(person("program"), name="Script", scopes=["read"])
    series = Recurrence.objects.create(rule="FREQ=DAILY", first_wall_time="2026-11-27T14:05:00", timezone="UTC")
    other = {Recurrence: series, Media: picture(is_in_library=True), ApiKey: key, Event: delivery.job.events.first()}
    return {**found, Limit: limit, Breaker: breaker, **other, WebhookEndpoint: endpoint(listener("hook"))}


def everyone() -> dict[str, User]:
    return {name: person(name, may) for name, may in PEOPLE.items()}


def test_every_action_has_a_line_in_the_table() -> None:
    registered = {
        (model, kind.name)
        for model, page_of in admin.site._registry.items()
        if isinstance(page_of, ConfirmedActionsMixin)
        for kind in page_of.confirmed_actions
    }
    assert registered == set(TABLE)


@pytest.mark.parametrize(("kind", "name"), TABLE)
def test_an_action_is_for_exactly_these(kind: type[Any], name: str, rows: dict[type[Any], Any]) -> None:
    row = rows[kind]
    for who, user in everyone().items():
        Post.objects.update(owner=user)
        Recurrence.objects.update(owner=user)
        for sure in (False, True):
            answer = act(browser(user), name, row, sure=sure and who not in TABLE[kind, name])
            expected = 200 if who in TABLE[kind, name] else 403
            assert answer.status_code == expected, (who, sure)
    assert act(browser(None), name, row).status_code == 302
    assert act(browser(person("boss", is_superuser=True)), name, row, sure=False).status_code == 200
    assert browser(person("csrf", is_superuser=True), enforce_csrf_checks=True).post(
        list_of(kind), {"action": name, "confirmed": "1", "index": "0", "_selected_action": row.pk}
    ).status_code == 403  # fmt: skip


@pytest.mark.parametrize("name", ["schedule", "publish_now", "retry", "cancel", "delete"])
def test_posts_of_others_are_out_of_reach(name: str) -> None:
    post = draft(account("Ada"), owner=person("owner"))
    other = browser(person("other", PUBLISHER))
    assert str(post) not in other.get(list_of(Post)).content.decode()
    assert other.get(page(post)).status_code == 302
    act(other, name, post, at="2030-01-01T10:00", timezone="UTC")
    post.refresh_from_db()
    assert post.status == "draft"
    assert other.post(page(post), form(text="mine now")).status_code == 302
    assert Post.objects.get().text == "Hello"


def test_deliveries_and_pictures_of_others_are_out_of_reach() -> None:
    owner = person("owner")
    post = unsettled(account("Ada"), owner=owner)
    other = browser(person("other", PUBLISHER))
    delivery = post.deliveries.get()
    assert other.get(page(delivery)).status_code == 302
    act(other, "mark_published", delivery, url="https://example.org/1")
    delivery.refresh_from_db()
    assert delivery.status == "needs_review"
    assert other.get(page(picture(owner=owner))).status_code == 302


def test_a_permission_widens_what_is_seen() -> None:
    post = draft(account("Ada"), owner=person("owner"))
    chief = browser(person("chief", (*VIEWER, "posts.view_all_posts")))
    assert str(post) in chief.get(list_of(Post)).content.decode()
    assert chief.get(page(post)).status_code == 200


def test_a_viewer_sees_data_and_no_buttons() -> None:
    viewer = person("viewer", VIEWER)
    post = unsettled(account("Ada"), owner=viewer)
    client = browser(viewer)
    for row in (post, post.deliveries.get(), post.deliveries.get().account):
        text = client.get(page(row)).content.decode()
        assert "Ada" in text
        assert 'name="action"' not in text
        assert 'type="submit"' not in text.replace('<button type="submit">Log out', "")
    assert client.get(reverse("admin:posts_post_add")).status_code == 403


PAGES = [
    "posts_post_changelist",
    "posts_calendar",
    "posts_delivery_changelist",
    "posts_account_changelist",
    "posts_media_changelist",
    "posts_recurrence_changelist",
    "posts_telegramsource_changelist",
    "posts_webhookendpoint_changelist",
    "queue_app_job_changelist",
    "queue_app_attempt_changelist",
    "queue_app_worker_changelist",
    "queue_app_block_changelist",
    "queue_app_maintenancewindow_changelist",
    "queue_app_notice_changelist",
    "queue_app_limit_changelist",
    "queue_app_breaker_changelist",
    "queue_app_event_changelist",
    "admin_logentry_changelist",
    "queue_app_apikey_changelist",
    "queue_app_dashboard",
    "posts_attention",
    "posts_post_add",
    "posts_account_add",
    "posts_telegramsource_add",
    "posts_webhookendpoint_add",
    "queue_app_block_add",
    "queue_app_apikey_add",
    "queue_app_maintenancewindow_add",
]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_for_strangers(name: str) -> None:
    url = reverse(f"admin:{name}")
    assert browser(None).get(url).status_code == 302
    assert browser(person("nobody")).get(url).status_code == 403
    assert browser(person("boss", is_superuser=True)).get(url).status_code == 200


@pytest.mark.parametrize(
    "kind", [Post, Delivery, Account, Media, Job, Attempt, Worker, Block, Notice, Limit, Breaker, Event, ApiKey]
)
def test_nothing_is_deleted_or_saved_past_the_services(kind: type[Any], rows: dict[type[Any], Any]) -> None:
    row = rows.get(kind) or kind.objects.first() or (picture() if kind is Media else None)
    if row is None:
        row = Worker.objects.create(
            name="w", cluster="c", queues={"default": 1}, host="h", pid=1, start_ticks="1", version="1",
            started_at="2026-01-01T00:00Z", heartbeat_at="2026-01-01T00:00Z",
        )  # fmt: skip
    client = browser(person("boss", is_superuser=True))
    assert client.post(page(row, "delete"), {"post": "yes"}).status_code == 403
    if kind is not Post:
        assert client.post(page(row), {"name": "x", "state": "completed"}).status_code == 403
    assert act_delete_selected(client, row).status_code in (200, 302)
    assert kind.objects.filter(pk=row.pk).exists()


def act_delete_selected(client: Client, row: Any) -> Any:
    return act(client, "delete_selected", row, post="yes")


@pytest.mark.parametrize("view", ["posts_account_reconnect", "posts_account_failure"])
def test_only_who_manages_an_account_reconnects_it(view: str) -> None:
    hers = account("Hers", owner=person("her"))
    shared = account("Shared")
    editor = browser(person("ed", EDITOR))
    keeper = browser(person("keeper", (*VIEWER, "posts.change_account")))
    assert editor.get(reverse(f"admin:{view}", args=[shared.pk])).status_code == 403
    assert keeper.get(reverse(f"admin:{view}", args=[shared.pk])).status_code == 403
    assert keeper.get(reverse(f"admin:{view}", args=[hers.pk])).status_code == 404
    assert browser(person("op", OPERATOR)).get(reverse(f"admin:{view}", args=[shared.pk])).status_code == 200
