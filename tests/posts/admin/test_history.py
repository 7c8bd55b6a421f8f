"""The history: who did what and when, for one row and for everything; only to those whom it concerns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from posts.models import Post
from posts.services.posts import schedule_post
from queue_app import clock
from tests.posts.admin.pages import PUBLISHER, VIEWER, act, browser, page, person
from tests.posts.making import account, delivery, draft

pytestmark = pytest.mark.django_db

URL = "/admin/admin/logentry/"


def line(user: User, name: str, flag: int = CHANGE, **fields: Any) -> LogEntry:
    kind = ContentType.objects.get_for_model(Post)
    return LogEntry.objects.create(
        user=user, content_type=kind, object_repr=name, action_flag=flag, change_message="Changed.", **fields
    )


def texts(client: Client, query: str = "") -> str:
    answer = client.get(URL + query, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_people_see_what_they_did_and_chiefs_what_everybody_did() -> None:
    ada, grace = person("ada", VIEWER), person("grace", VIEWER)
    line(ada, "of Ada"), line(grace, "of Grace")
    assert "of Grace" not in texts(browser(ada))
    assert "of Ada" in texts(browser(ada))
    for permission in ("posts.view_all_posts", "admin.view_logentry"):
        chief = person(permission, (*VIEWER, permission))
        assert {"of Ada", "of Grace"} <= set(texts(browser(chief)).replace("<", ">").split(">"))
    assert browser(person("nobody")).get(URL).status_code == 403


def test_it_is_filtered_by_person_kind_and_day() -> None:
    boss = person("boss", is_superuser=True)
    ada = person("ada", VIEWER)
    line(ada, "of Ada"), line(boss, "gone", DELETION)
    client = browser(boss)
    assert "gone" not in texts(client, f"?person={ada.pk}")
    assert "of Ada" not in texts(client, f"?action_flag={DELETION}")
    kind = ContentType.objects.get_for_model(User)
    assert "Nothing matches." in texts(client, f"?about={kind.pk}")
    today = clock.now().date()
    assert "of Ada" in texts(
        client, f"?action_time_from={today - timedelta(days=1)}&action_time_to={today + timedelta(days=1)}"
    )
    assert "of Ada" not in texts(client, f"?action_time_to={today - timedelta(days=2)}")


@pytest.mark.parametrize(
    "query", ["?person=x", "?about=9999999999999999999", "?action_flag=-1", "?action_time_from=yesterday", "?p=x",
              "?action_time_to=0001-01-01", "?action_time_to=9999-12-31", "?nonsense=1", "?action_flag=70000"]
)  # fmt: skip
def test_nonsense_is_no_error(query: str) -> None:
    line(person("ada", VIEWER), "of Ada")
    assert browser(person("boss", is_superuser=True)).get(URL + query, follow=True).status_code in (200, 400)


def test_names_are_text_and_what_is_gone_has_no_link() -> None:
    boss = person("boss", is_superuser=True)
    line(boss, "<script>alert(1)</script>", object_id="1")
    line(boss, "deleted one", DELETION, object_id="2")
    text = texts(browser(boss))
    assert "<script>alert(1)" not in text
    assert reverse("admin:posts_post_change", args=[1]) in text
    assert reverse("admin:posts_post_change", args=[2]) not in text


def test_nobody_writes_it_by_hand() -> None:
    client = browser(person("boss", is_superuser=True))
    entry = line(User.objects.get(username="boss"), "kept")
    for view in ("delete", "change"):
        client.post(f"{URL}{entry.pk}/{view}/", {"post": "yes"})
    assert client.get(f"{URL}add/").status_code == 403
    assert (
        client.post(URL, {"action": "delete_selected", "index": "0", "_selected_action": entry.pk}).status_code != 500
    )
    assert LogEntry.objects.filter(pk=entry.pk).exists()


def test_a_row_tells_what_people_and_the_queue_did() -> None:
    grace = person("grace", PUBLISHER)
    client = browser(grace)
    post = schedule_post(draft(account("Ada"), owner=grace), at=clock.now() + timedelta(days=1), actor=grace)
    found = delivery(post)
    act(client, "cancel", found)
    for row in (post, found):
        assert page(row, "history") in client.get(page(row)).content.decode() or row is post
        text = client.get(page(row, "history")).content.decode()
        assert "pending → cancelled" in text
        assert "grace" in text
    other = browser(person("other", PUBLISHER))
    assert other.get(page(post, "history")).status_code == 302
    assert other.get(page(found, "history")).status_code == 302
