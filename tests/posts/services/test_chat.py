"""Chats as a way to tell people: addresses are sealed and shown nowhere, and what goes out is inert."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from pytest_httpserver import HTTPServer

from posts import conf, credentials
from posts.models import ChatAddress
from posts.services.chat import Chat, inert
from posts.services.keys import rotate_keys
from queue_app import channels
from queue_app.channels import Message, NotSent
from tests.posts.making import user

pytestmark = pytest.mark.django_db

CANARY = "CANARY-4711"


@pytest.fixture
def ada(settings: Any) -> User:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True, "NOTIFY_SCHEMES": ["json"]}
    return user("ada")


def test_the_chat_is_a_channel_of_notices() -> None:
    assert isinstance(channels.channels()["chat"], Chat)


def test_a_message_reaches_the_chat_inert_and_cut_to_size(ada: User, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"/{CANARY}", method="POST").respond_with_json({})
    Chat().save_address(ada, f"json://127.0.0.1:{httpserver.port}/{CANARY}")
    Chat().send(ada, Message("A post\r\nby @everyone: failed", "<!channel> @here\x1b[31m\n" + "long " * 1000))
    ((request, _response),) = httpserver.log
    said = request.get_json()
    assert said["title"] == "A post by @\u200beveryone: failed"
    assert said["message"].startswith("<\u200b!channel> @\u200bhere[31m\nlong")
    assert len(said["message"]) <= 1800


def test_an_address_is_sealed_and_in_no_error_and_no_log(
    ada: User, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.ERROR, "werkzeug")  # the chat's own log
    httpserver.expect_request(f"/{CANARY}").respond_with_data(f"no {CANARY}", status=500)
    Chat().save_address(ada, f"json://user:{CANARY}@127.0.0.1:{httpserver.port}/{CANARY}")
    row = ChatAddress.objects.get()
    assert CANARY not in f"{row} {vars(row)} {Chat().known_address(ada)}"
    with pytest.raises(NotSent) as failed:
        Chat().send(ada, Message("A test", "Hello"))
    assert str(failed.value) == "JSON: the service could not be reached, or did not take it"
    assert CANARY not in f"{failed.value!r} {failed.value.__cause__!r} {failed.value.__context__!r} {caplog.text}"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"slack://{CANARY}", "this is no address that apprise understands"),
        (f"xml://127.0.0.1/{CANARY}", "this site does not send to this service"),
        (f"json://127.0.0.1/{CANARY}\n", ""),
        (f"json://127.0.0.1/\x00{CANARY}", "this is no address that apprise understands"),
        ("json://" + "x" * 2001, "this is no address that apprise understands"),
    ],
)
def test_what_is_no_address_is_refused_without_being_quoted(ada: User, address: str, said: str) -> None:
    if not said:
        Chat().save_address(ada, address)
        return
    with pytest.raises(ValueError, match=said) as refused:
        Chat().save_address(ada, address)
    assert CANARY not in str(refused.value)
    assert not ChatAddress.objects.exists()


def test_an_address_inside_is_refused_when_it_is_used(ada: User, httpserver: HTTPServer, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": False}
    Chat().save_address(ada, f"json://127.0.0.1:{httpserver.port}/")
    with pytest.raises(NotSent, match="JSON: it leads to an address that this site may not call"):
        Chat().send(ada, Message("A test", "Hello"))
    assert httpserver.log == []


def test_without_apprise_it_is_said_what_to_install(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posts.services.chat.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'socialq\[notify\]'"):
        Chat().save_address(ada, "json://127.0.0.1/")


def test_a_chat_is_replaced_forgotten_and_each_person_has_their_own(ada: User) -> None:
    bob = user("bob")
    for address in ("json://127.0.0.1/a", "json://127.0.0.1/b"):
        Chat().save_address(ada, address)
    row = ChatAddress.objects.get(user=ada)
    assert credentials.unseal(row.uuid, row.sealed) == {"address": "json://127.0.0.1/b"}
    assert (Chat().known_address(ada), Chat().known_address(bob)) == ("JSON", "")
    with pytest.raises(NotSent, match="no chat address any more"):
        Chat().send(bob, Message("A test", "Hello"))
    Chat().save_address(ada, "")
    assert not ChatAddress.objects.exists()


def test_addresses_go_under_a_new_key_with_everything_else(ada: User, settings: Any) -> None:
    Chat().save_address(ada, "json://127.0.0.1/a")
    before = conf.get("ENCRYPTION_KEYS")
    settings.SOCIALQ = {**settings.SOCIALQ, "ENCRYPTION_KEYS": [Fernet.generate_key().decode(), *before]}
    assert not credentials.is_newest(ChatAddress.objects.get().sealed)
    assert rotate_keys().sealed == 1
    assert credentials.is_newest(ChatAddress.objects.get().sealed)
    settings.SOCIALQ = {**settings.SOCIALQ, "ENCRYPTION_KEYS": before}
    with pytest.raises(NotSent, match="cannot be opened"):
        Chat().send(ada, Message("A test", "Hello"))


def test_text_without_anything_loud_stays_as_it_is() -> None:
    assert inert("Grüße an Ada\n> 3 € & mehr") == "Grüße an Ada\n> 3 € & mehr"
