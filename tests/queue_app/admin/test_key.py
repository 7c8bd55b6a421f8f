"""The pages of API keys: made once, shown once, revoked after a question; everybody sees their own."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from queue_app import keys
from queue_app.models import ApiKey
from tests.posts.admin.pages import act, browser, list_of, messages_of, page, person, value

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
ADD = "/admin/queue_app/apikey/add/"
MAY = ("queue_app.view_apikey", "queue_app.add_apikey", "queue_app.change_apikey")


def fill(client: Any, **fields: Any) -> dict[str, Any]:
    ticket = value(client.get(ADD).content.decode(), "ticket")
    return {"name": "Reports", "scopes": ["read"], "days": "90", "ticket": ticket, **fields}


def test_a_new_key_is_shown_once() -> None:
    ada = person("ada", MAY)
    client = browser(ada)
    form = fill(client)
    answer = client.post(ADD, form)
    key = ApiKey.objects.get()
    secret = answer.context["secret"]
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert (key.user, key.name, keys.find_key(f"Bearer {secret}")) == (ada, "Reports", key)
    again = client.post(ADD, form)
    assert again["Location"] == page(key)
    assert "shown once" in messages_of(again)
    assert ApiKey.objects.count() == 1
    assert client.get(list_of(ApiKey)).context["title"] == "API keys"
    for url in (page(key), list_of(ApiKey), page(key, "history")):
        text = client.get(url).content.decode()
        assert "Reports" in text
        assert secret not in text
        assert secret[16:] not in text
    assert secret not in LogEntry.objects.get().change_message


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"scopes": ["all"]},
        {"scopes": []},
        {"days": "-5"},
        {"days": "x"},
        {"ticket": "abc"},
        {"name": "\0"},
    ],
)
def test_a_wrong_form_makes_none(wrong: dict[str, Any]) -> None:
    client = browser(person("ada", MAY))
    assert client.post(ADD, fill(client, **wrong)).status_code == 200
    assert not ApiKey.objects.exists()


def test_revoking_asks_ends_it_and_is_in_the_history() -> None:
    ada = person("ada", MAY)
    key, secret = keys.create_key(ada, name="Old", scopes=["read"])
    client = browser(ada)
    assert "cannot be undone" in act(client, "revoke", key, sure=False).content.decode()
    assert keys.find_key(f"Bearer {secret}") == key
    assert "revoked" in messages_of(act(client, "revoke", key))
    assert keys.find_key(f"Bearer {secret}") is None
    assert "Revoked" in client.get(page(key)).content.decode()
    assert LogEntry.objects.get().change_message == "Revoked."
    assert "revoked already" in act(client, "revoke", key).content.decode()


def test_keys_of_others_are_out_of_reach_but_for_who_manages_all() -> None:
    key, secret = keys.create_key(person("ada", MAY), name="Hers", scopes=["read"])
    bob = browser(person("bob", MAY))
    assert "Hers" not in bob.get(list_of(ApiKey)).content.decode()
    assert bob.get(page(key)).status_code == 302
    act(bob, "revoke", key)
    assert keys.find_key(f"Bearer {secret}") == key
    chief = browser(person("chief", (*MAY, keys.MANAGE_ALL)))
    assert "Hers" in chief.get(list_of(ApiKey)).content.decode()
    act(chief, "revoke", key)
    assert keys.find_key(f"Bearer {secret}") is None


def test_who_may_only_see_keys_makes_none() -> None:
    viewer = browser(person("viewer", ("queue_app.view_apikey",)))
    assert viewer.get(ADD).status_code == 403
    assert viewer.post(ADD, {"name": "x"}).status_code == 403
    assert browser(None).get(ADD).status_code == 302
    assert reverse("admin:queue_app_apikey_add") not in viewer.get(list_of(ApiKey)).content.decode()


def test_a_list_of_many_asks_no_more(django_assert_max_num_queries: Any) -> None:
    chief = person("chief", (*MAY, keys.MANAGE_ALL))
    for number in range(30):
        keys.create_key(person(f"p{number}"), name=f"Key {number}", scopes=["read"])
    client = browser(chief)
    with django_assert_max_num_queries(16):
        assert client.get(list_of(ApiKey)).status_code == 200
