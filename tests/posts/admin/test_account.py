from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from posts.models import Account
from posts.publishing import registry
from posts.publishing.errors import ReconnectNeeded
from posts.publishing.platform import Session
from posts.publishing.types import Connection, Identity
from posts.services.accounts import connect_account
from posts.services.standing import ask_reconnect
from tests.posts.admin.pages import act, browser, list_of, messages_of, page, person
from tests.posts.making import account, draft, sent

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/admin/posts/account/add/"
SECRET = "xxxx-canary-yyyy"


@pytest.fixture
def boss() -> Client:
    return browser(person("boss", is_superuser=True))


@pytest.fixture
def bluesky(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Bluesky answers as the identity that the handle names; the answers it was asked with."""
    asked: list[dict[str, str]] = []

    def connect(_self: Any, _session: Session, answers: dict[str, str]) -> Connection:
        asked.append(dict(answers))
        if answers["password"] != SECRET:
            raise ReconnectNeeded("bluesky.wrong_password")
        return Connection(Identity(f"did:{answers['identifier']}", answers["identifier"]), {"token": SECRET})

    monkeypatch.setattr(type(registry.get("bluesky")), "connect", connect)
    return asked


def reconnect(found: Account) -> str:
    return reverse("admin:posts_account_reconnect", args=[found.pk])


def test_connects_an_outbox_and_says_so(boss: Client) -> None:
    assert "Outbox" in boss.get(ADD).content.decode()
    answer = boss.post(f"{ADD}?platform=outbox", {"name": "Mine", "keeps_keys": "", "shared": "on"})
    found = Account.objects.get()
    assert answer["Location"] == page(found)
    assert (found.name, found.owner) == ("Mine", None)
    assert "is connected" in messages_of(answer)
    assert LogEntry.objects.get().change_message.startswith("Is connected")


def test_an_account_may_be_ones_own(boss: Client) -> None:
    boss.post(f"{ADD}?platform=outbox", {"name": "Mine"})
    owner = Account.objects.get().owner
    assert owner is not None
    assert owner.username == "boss"


def test_secrets_are_typed_blind_and_never_come_back(boss: Client, bluesky: list[dict[str, str]]) -> None:
    text = boss.get(f"{ADD}?platform=bluesky").content.decode()
    assert '<input type="password" name="password"' in text
    wrong = boss.post(
        f"{ADD}?platform=bluesky",
        {"identifier": "ada.example", "password": "wrong-canary", "service": "https://pds.example"},
    ).content.decode()
    assert "Bluesky does not know this handle with this app password." in wrong
    assert "ada.example" in wrong
    assert "wrong-canary" not in wrong
    boss.post(
        f"{ADD}?platform=bluesky", {"identifier": "ada.example", "password": SECRET, "service": "https://pds.example"}
    )
    found = Account.objects.get()
    for url in (page(found), list_of(Account), reconnect(found), page(found, "history")):
        assert SECRET not in boss.get(url).content.decode()
    assert bluesky[-1]["password"] == SECRET


def test_what_is_missing_is_said_beside_its_field(boss: Client, bluesky: list[dict[str, str]]) -> None:
    text = boss.post(f"{ADD}?platform=bluesky", {"identifier": "ada.example"}).content.decode()
    assert "This field is required." in text
    assert not bluesky


@pytest.mark.parametrize("name", ["", "nonsense", "telegram"])
def test_an_unknown_or_disabled_platform_offers_the_others(boss: Client, settings: Any, name: str) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["outbox"]}
    text = boss.post(f"{ADD}?platform={name}", {"name": "x"}).content.decode()
    assert "Which network is it on?" in text
    assert not Account.objects.exists()


def test_reconnecting_as_another_is_refused_by_name(boss: Client, bluesky: list[dict[str, str]]) -> None:
    ada = connect_account("bluesky", {"identifier": "ada.example", "password": SECRET})
    text = boss.post(reconnect(ada), {"identifier": "bob.example", "password": SECRET, "service": ""}).content.decode()
    assert "These credentials belong to bob.example, but this account is ada.example; nothing was changed." in text
    ask_reconnect(ada, "bluesky.wrong_password")
    assert "Must be reconnected" in boss.get(list_of(Account)).content.decode()
    answer = boss.post(reconnect(ada), {"identifier": "ada.example", "password": SECRET, "service": ""})
    assert "is connected again" in messages_of(answer)
    ada.refresh_from_db()
    assert ada.reconnect_reason == ""


def test_disables_and_enables(boss: Client) -> None:
    ada = account("Ada")
    assert "1 account disabled" in messages_of(act(boss, "disable", ada))
    ada.refresh_from_db()
    assert not ada.enabled
    assert "Skipped: 1" in act(boss, "disable", ada).content.decode()
    act(boss, "enable", ada)
    ada.refresh_from_db()
    assert ada.enabled


def test_deletion_names_what_it_meets(boss: Client) -> None:
    ada, bob = account("Ada"), account("Bob")
    out, begun = sent(ada, text="Went out"), draft(bob, text="Only begun")
    text = act(boss, "delete", ada, bob, sure=False).content.decode()
    assert "1 post went out to it or will" in text
    assert f'<a href="{page(out)}">“Went out”: published</a>' in text
    assert "Its credentials are deleted. 1 draft loses it. This cannot be undone." in text
    assert f'<a href="{page(begun)}">“Only begun”: taken off this draft</a>' in text
    act(boss, "delete", ada, bob)
    assert list(Account.objects.all()) == [ada]


def test_the_page_of_an_account_offers_deletion_and_the_question_says_what_forbids_it(boss: Client) -> None:
    ada = account("Ada")
    sent(ada, text="Went out")
    assert 'value="delete"' in boss.get(page(ada)).content.decode()
    text = act(boss, "delete", ada, sure=False).content.decode()
    assert "There is nothing to do" in text
    assert "“Went out”: published" in text
    assert Account.objects.get() == ada


def test_deletion_counts_posts_of_others_without_their_words() -> None:
    ann = person("ann", ["posts.view_account", "posts.change_account", "posts.delete_account"])
    ada = account("Ada", owner=ann)
    draft(ada, text="Not for her eyes")
    text = act(browser(ann), "delete", ada, sure=False).content.decode()
    assert "1 of other people" in text
    assert "Not for her eyes" not in text


def test_an_outbox_is_told_to_fail(boss: Client) -> None:
    ada = account("Ada")
    url = reverse("admin:posts_account_failure", args=[ada.pk])
    assert boss.post(url, {"failure": "nonsense"}).status_code == 200
    boss.post(url, {"failure": "rate_limited", "times": "2"})
    ada.refresh_from_db()
    assert (ada.config["failure"], ada.config["failures_left"]) == ("rate_limited", 2)
    assert "rate_limited" in boss.get(page(ada)).content.decode()
    other = account("Bea", "bluesky")
    assert boss.get(reverse("admin:posts_account_failure", args=[other.pk])).status_code == 404
