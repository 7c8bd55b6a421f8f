"""A person's own page of what they are told: kinds, ways, addresses, a test."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse

from queue_app import clock
from queue_app.channels import Message, NotSent, channels, register_channel
from queue_app.choices import wishes_of
from queue_app.models import Notice, NoticeChoice, NoticeDelivery
from tests.posts.admin.pages import browser, person

pytestmark = pytest.mark.django_db


class Pager:
    """A channel whose addresses are numbers."""

    name, label, address_label, address_help = "pager", "Pager", "Number", "As the shop gave it."

    def __init__(self) -> None:
        self.kept: dict[int, str] = {}
        self.sent: list[Message] = []

    def known_address(self, user: User) -> str:
        return "Shop" if user.pk in self.kept else ""

    def save_address(self, user: User, address: str) -> None:
        if address and not address.isdecimal():
            raise ValueError("it is no number")
        self.kept[user.pk] = address
        if not address:
            del self.kept[user.pk]

    def send(self, user: User, message: Message) -> None:
        if self.kept[user.pk] == "0":
            raise NotSent("nobody answers")
        self.sent.append(message)


@pytest.fixture
def pager(monkeypatch: pytest.MonkeyPatch) -> Pager:
    monkeypatch.setattr("queue_app.channels._channels", {"mail": channels()["mail"]})
    found = Pager()
    register_channel(found)
    return found


@pytest.fixture
def ada() -> User:
    return person("ada", email="ada@example.org")


def url() -> str:
    return reverse("admin:queue_app_notifications")


def text_of(client: Client, data: dict[str, Any] | None = None) -> str:
    answer = client.get(url()) if data is None else client.post(url(), data, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_it_shows_the_defaults_and_keeps_a_choice(ada: User, pager: Pager) -> None:
    client = browser(ada)
    text = text_of(client)
    assert 'value="failed" id="id_kinds_mail_failed" aria-label="Failed: by Mail" checked' in text
    assert 'id="id_kinds_pager_failed" aria-label="Failed: by Pager">' in text
    text = text_of(client, {"kinds_mail": ["expired"], "kinds_pager": ["failed", "needs_review"]})
    assert "Saved." in text
    assert wishes_of(ada) == {"mail": ["expired"], "pager": ["failed", "needs_review"]}
    assert "checked" not in text.partition('id="id_kinds_mail_failed"')[2][:60]
    text_of(client, {})
    assert wishes_of(ada) == {"mail": [], "pager": []}
    assert NoticeChoice.objects.count() == 1


def test_what_concerns_the_queue_is_offered_to_who_may_see_it(ada: User) -> None:
    assert "queue_late" not in text_of(browser(ada))
    assert "Saved" not in text_of(browser(ada), {"kinds_mail": ["queue_late"]})
    assert not NoticeChoice.objects.exists()
    assert "queue_late" in text_of(browser(person("bob", ["queue_app.view_job"])))


def test_an_address_is_kept_and_never_shown_again(ada: User, pager: Pager) -> None:
    client = browser(ada)
    assert "it is no number" in text_of(client, {"address_pager": "CANARY"})
    assert "CANARY" not in text_of(client, {"address_pager": "CANARY"})
    assert pager.kept == {}
    assert not NoticeChoice.objects.exists()
    text = text_of(client, {"address_pager": "4711"})
    assert "4711" not in text
    assert "Shop" in text
    text_of(client, {"kinds_pager": ["failed"]})
    assert pager.kept == {ada.pk: "4711"}
    text_of(client, {"forget_pager": "on"})
    assert pager.kept == {}


def test_a_test_goes_to_oneself_and_says_what_is_wrong(ada: User, pager: Pager) -> None:
    client = browser(ada)
    assert "a test was sent to ada@example.org" in text_of(client, {"test": "mail"})
    assert mail.outbox[0].to == ["ada@example.org"]
    assert "there is no address yet" in text_of(client, {"test": "pager"})
    pager.kept[ada.pk] = "0"
    assert "The test did not go out: nobody answers." in text_of(client, {"test": "pager"})
    assert not NoticeChoice.objects.exists()


def test_the_last_error_of_a_way_is_shown(ada: User, pager: Pager) -> None:
    pager.kept[ada.pk] = "1"
    notice = Notice.objects.create(kind="failed", subject="A post", created_at=clock.now())
    NoticeDelivery.objects.create(
        notice=notice, channel="pager", user=ada, created_at=clock.now(), error="<b>nobody</b> answers"
    )
    assert "did not go out: &lt;b&gt;nobody&lt;/b&gt; answers" in text_of(browser(ada))


def test_an_admin_is_told_that_the_sites_settings_come_first(ada: User, settings: Any) -> None:
    assert "ADMINS" not in text_of(browser(ada))
    settings.ADMINS = [("Ada", "Ada@example.org")]
    assert "ADMINS" in text_of(browser(ada))


def test_every_page_leads_there_and_nobody_else_gets_in(ada: User) -> None:
    assert url() in browser(ada).get(reverse("admin:index")).content.decode()
    assert browser(None).get(url()).status_code == 302
    assert browser(User.objects.create_user("reader")).get(url()).status_code == 302
