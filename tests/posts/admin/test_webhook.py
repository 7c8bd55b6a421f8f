"""Webhooks in the admin: made with a secret that is shown once, changed, tested, switched and deleted."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from pytest_httpserver import HTTPServer

from posts.models import WebhookEndpoint
from posts.services.endpoints import switch_off
from posts.services.forwarding import SEND
from posts.services.sending import send_test
from queue_app import api, clock
from queue_app.models import Job
from tests.posts.admin.pages import act, browser, list_of, page, person
from tests.posts.hearing import MAY, Receiver, endpoint, listener

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "admin:posts_webhookendpoint_add"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def ada() -> Client:
    return browser(person("ada", tuple(f"posts.{codename}" for codename in MAY)))


@pytest.fixture
def receiver(httpserver: HTTPServer, settings: Any) -> Receiver:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    return Receiver(httpserver)


def content(answer: Any) -> str:
    return str(answer.content.decode())


def sub_page(found: WebhookEndpoint, name: str) -> str:
    return reverse(f"admin:posts_webhookendpoint_{name}", args=[found.pk])


def test_a_new_one_shows_its_secret_once_and_events_verify_with_it(ada: Client, receiver: Receiver) -> None:
    assert "No webhook yet" in content(ada.get(list_of(WebhookEndpoint)))
    entered = {"name": "Desk", "url": receiver.url, "names": ["post.published"]}
    made = ada.post(reverse(ADD), entered)
    (receiver.secret,) = SECRET.findall(content(made))
    assert "no-store" in made["Cache-Control"]
    found = WebhookEndpoint.objects.get()
    send_test(found)
    receiver.verified()
    for url in (page(found), list_of(WebhookEndpoint), sub_page(found, "edit"), sub_page(found, "secret")):
        shown = content(ada.get(url))
        assert "Desk" in shown
        assert not SECRET.search(shown)
    assert receiver.url not in content(ada.get(list_of(WebhookEndpoint)))  # an address may be all that is needed


@pytest.mark.one_database
def test_what_is_refused_is_said_at_its_field(ada: Client) -> None:
    refused = content(ada.post(reverse(ADD), {"name": "", "url": "http://desk.example/", "names": ["post.publishd"]}))
    assert "This field is required" in refused
    assert "Events are sent by https alone" in content(
        ada.post(reverse(ADD), {"name": "Desk", "url": "http://desk.example/"})
    )
    assert not WebhookEndpoint.objects.exists()
    endpoint(WebhookEndpoint.owner.field.related_model.objects.get(username="ada"))
    assert "There is a webhook “Desk” already" in content(
        ada.post(reverse(ADD), {"name": "Desk", "url": "https://desk.example/"})
    )


def test_it_is_changed_and_given_another_secret_with_a_line_in_the_history(ada: Client) -> None:
    ada.post(reverse(ADD), {"name": "Desk", "url": "https://desk.example/hook"})
    found = WebhookEndpoint.objects.get()
    changed = ada.post(
        sub_page(found, "edit"), {"name": "News", "url": "https://news.example/", "names": ["job_failed"]}
    )
    assert changed["Location"] == page(found)
    sealed = found.sealed
    ada.get(sub_page(found, "secret"))
    found.refresh_from_db()
    assert (found.name, found.url, found.names, found.sealed) == (
        "News",
        "https://news.example/",
        ["job_failed"],
        sealed,
    )
    assert SECRET.search(content(ada.post(sub_page(found, "secret"))))
    found.refresh_from_db()
    assert found.sealed != sealed
    said = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert said == ["Made.", "Changed.", "New secret."]


def test_a_test_event_says_what_the_receiver_answered(ada: Client, receiver: Receiver) -> None:
    ada.post(reverse(ADD), {"name": "Desk", "url": receiver.url})
    found = WebhookEndpoint.objects.get()
    receiver.answers = [204, 500]
    assert "Yes, send it" in content(act(ada, "test", found, sure=False))
    assert receiver.seen == []
    act(ada, "test", found)
    assert "The receiver took it, with status 204." in content(ada.get(page(found)))
    act(ada, "test", found)
    shown = content(ada.get(page(found)))
    assert "The receiver answered with status 500." in shown
    assert shown.count("socialq.test") == 2


def test_one_that_is_off_says_why_and_is_switched_on_again(ada: Client) -> None:
    ada.post(reverse(ADD), {"name": "Desk", "url": "https://desk.example/hook"})
    found = WebhookEndpoint.objects.get()
    act(ada, "switch_off", found)
    assert "Switched off" in content(ada.get(page(found)))
    assert "Also send what it missed" in content(act(ada, "switch_on", found, sure=False))
    WebhookEndpoint.objects.update(position=0)
    ada.post(
        list_of(WebhookEndpoint),
        {
            "action": "switch_on",
            "confirmed": "1",
            "warned": "",
            "index": "0",
            "_selected_action": found.pk,
            "catch_up": "on",
        },
    )
    found.refresh_from_db()
    assert (found.enabled, found.position) == (True, 0)
    act(ada, "delete", found, sure=False)
    assert WebhookEndpoint.objects.exists()
    act(ada, "delete", found)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.one_database
def test_those_of_others_are_not_there(ada: Client) -> None:
    found = endpoint(listener("bob"))
    switch_off(found)
    assert "Desk" not in content(ada.get(list_of(WebhookEndpoint)))
    assert ada.get(page(found)).status_code == 302
    for name in ("edit", "secret"):
        assert ada.get(sub_page(found, name)).status_code == 404
        assert ada.post(sub_page(found, name), {"name": "x"}).status_code == 404
    act(ada, "delete", found)
    assert WebhookEndpoint.objects.filter(pk=found.pk, sealed=found.sealed).exists()
    boss = browser(person("boss", is_superuser=True))
    assert "Desk" in content(boss.get(list_of(WebhookEndpoint)))


def test_what_was_given_up_is_on_its_page_and_is_sent_again_or_forgotten(ada: Client) -> None:
    ada.post(reverse(ADD), {"name": "Desk", "url": "https://desk.example/hook"})
    found = WebhookEndpoint.objects.get()
    assert "Send again what was given up" not in content(ada.get(page(found)))
    now = clock.now()
    args = {"endpoint_id": found.pk, "event_id": 1}
    for _number in range(2):
        api.enqueue(SEND, args, target_id=found.pk)
    Job.objects.filter(type=SEND).update(state="failed", finished_at=now)
    shown = content(ada.get(page(found)))
    assert "2 events that it did not take for three days" in shown
    assert "Forget what was given up" in shown
    first, second = Job.objects.filter(type=SEND).order_by("pk")
    Job.objects.filter(pk=second.pk).update(state="completed")
    act(ada, "send_again", found)
    first.refresh_from_db()
    assert first.state == "pending"
    Job.objects.filter(pk=first.pk).update(state="failed", finished_at=now)
    act(ada, "forget", found)
    first.refresh_from_db()
    assert first.state == "cancelled"
    assert "did not take for three days" not in content(ada.get(page(found)))
