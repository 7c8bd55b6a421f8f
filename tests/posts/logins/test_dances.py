"""Logging in at a real OAuth 2 server through the admin: code, PKCE, refusal, rotation, revocation, identity."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from posts.admin.login import callback_url
from posts.jobs.upkeep import renew_login, renew_logins
from posts.models import Account, Delivery, PendingLogin
from posts.publishing import registry
from posts.services import accounts
from posts.services.logins import connect_with_tokens
from posts.services.posts import publish_now
from posts.services.sessions import session_for
from queue_app import blocks, clock, runner
from queue_app.context import JobContext
from queue_app.models import Block, BlockKind, Job, Notice
from queue_app.outcomes import Done
from tests.posts.logins.dancing import Dancing
from tests.posts.logins.oauth_server import CLIENT_ID, CLIENT_SECRET, OAuthServer, oauth_server
from tests.posts.making import draft, user

pytestmark = pytest.mark.django_db(transaction=True)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Dancing:
    platform = Dancing()
    monkeypatch.setitem(registry._registered, platform.name, platform)
    return platform


@pytest.fixture
def server(network: Dancing, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[OAuthServer]:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    with oauth_server(callback_url()) as running:
        app = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
        settings.SOCIALQ = {
            **settings.SOCIALQ,
            "PLATFORMS": {"dancing": app | {"API_BASE": running.url, "AUTH_BASE": running.url}},
            "ALLOW_PRIVATE_NETWORKS": True,
            "ENABLED_PLATFORMS": ["outbox", "dancing"],
        }
        yield running


@pytest.fixture
def grace() -> User:
    return User.objects.create_superuser("grace")


@pytest.fixture
def browser(grace: User) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def leave(browser: Client, url: str) -> str:
    """Press the button of a page to connect; return the address of the network's page."""
    answer = browser.post(url)
    assert answer.status_code == 200, answer.content
    return str(answer.context["url"])


def agree(address: str) -> str:
    """Open the network's page as the person does; return the path that it sends them back to."""
    try:
        urllib.request.build_opener(_Stay).open(address)
    except urllib.error.HTTPError as answer:
        back = answer.headers["Location"]
    assert back.startswith(callback_url() + "?")
    return back.removeprefix(callback_url().removesuffix(reverse("admin:posts_account_callback")))


def connect(browser: Client) -> Any:
    return browser.get(agree(leave(browser, reverse("admin:posts_account_add") + "?platform=dancing")))


def credentials_of(account: Account) -> dict[str, Any]:
    return dict(session_for(account).credentials)


def run() -> None:
    runner.run_due("default", "tests")


def test_a_code_and_its_proof_become_an_account(browser: Client, server: OAuthServer, grace: User) -> None:
    address = leave(browser, reverse("admin:posts_account_add") + "?platform=dancing")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["redirect_uri"] == callback_url()
    assert asked["code_challenge_method"] == "S256"
    answer = browser.get(agree(address))
    account = Account.objects.get(platform="dancing")
    assert answer.url == reverse("admin:posts_account_change", args=[account.pk])
    assert (account.identity_id, account.name, account.owner, account.scopes) == (
        "ada",
        "Ada",
        grace,
        ["read", "write"],
    )
    assert server.asked[0]["code_verifier"] not in address
    token = credentials_of(account)["access_token"]
    assert token == server.tokens[0].access_token
    assert token not in account.sealed_credentials
    assert not PendingLogin.objects.exists()


def test_a_state_works_once_and_for_its_person_alone(browser: Client, server: OAuthServer) -> None:
    path = agree(leave(browser, reverse("admin:posts_account_add") + "?platform=dancing"))
    other = Client()
    other.force_login(User.objects.create_superuser("eve"))
    assert other.get(path).status_code == 403
    assert not server.asked
    assert browser.get(path).status_code == 302
    assert browser.get(path).status_code == 403
    assert browser.get(path.replace("state=", "state=x")).status_code == 403
    assert browser.get(reverse("admin:posts_account_callback")).status_code == 403
    assert Account.objects.filter(platform="dancing").count() == 1
    assert len(server.asked) == 1


@pytest.mark.parametrize("begun", ["add", "reconnect"])
def test_rights_that_were_taken_away_meanwhile_end_a_login_before_its_code_is_traded(
    browser: Client, server: OAuthServer, begun: str
) -> None:
    connect(browser)
    account = Account.objects.get(platform="dancing")
    editor = user("editor", may=["view_account", "add_account", "change_account"], sees_all=True)
    User.objects.filter(pk=editor.pk).update(is_staff=True)
    hers = Client()
    hers.force_login(editor)
    again = reverse("admin:posts_account_reconnect", args=[account.pk])
    path = agree(
        leave(hers, again if begun == "reconnect" else reverse("admin:posts_account_add") + "?platform=dancing")
    )
    taken = "change_account" if begun == "reconnect" else "add_account"
    editor.user_permissions.remove(Permission.objects.get(codename=taken))
    asked = len(server.asked)
    page = hers.get(path, follow=True)
    assert "nothing was connected" in page.content.decode()
    assert len(server.asked) == asked
    assert not PendingLogin.objects.exists()
    account.refresh_from_db()
    assert account.credentials_version == 1


def test_logins_that_nobody_finished_are_forgotten(browser: Client, server: OAuthServer) -> None:
    leave(browser, reverse("admin:posts_account_add") + "?platform=dancing")
    renew_logins(JobContext(Job(), "tests"))
    assert PendingLogin.objects.exists()
    PendingLogin.objects.update(created_at=clock.now() - timedelta(minutes=31))
    renew_logins(JobContext(Job(), "tests"))
    assert not PendingLogin.objects.exists()


def test_a_login_that_took_too_long_is_over(browser: Client, server: OAuthServer) -> None:
    path = agree(leave(browser, reverse("admin:posts_account_add") + "?platform=dancing"))
    PendingLogin.objects.update(created_at=clock.now() - timedelta(minutes=16))
    assert browser.get(path).status_code == 403
    assert not server.asked


def test_somebody_who_does_not_agree_comes_back_with_a_message(browser: Client, server: OAuthServer) -> None:
    server.agrees = False
    answer = browser.get(agree(leave(browser, reverse("admin:posts_account_add") + "?platform=dancing")), follow=True)
    assert answer.request["PATH_INFO"] == reverse("admin:posts_account_changelist")
    assert "not allowed on the network" in answer.content.decode()
    assert not Account.objects.filter(platform="dancing").exists()


def test_a_code_that_was_stolen_is_worth_nothing_without_its_proof(browser: Client, server: OAuthServer) -> None:
    mine = agree(leave(browser, reverse("admin:posts_account_add") + "?platform=dancing"))
    server.who = "mallory"
    others = agree(leave(browser, reverse("admin:posts_account_add") + "?platform=dancing"))
    code, state = parse_qs(urlsplit(others).query)["code"][0], parse_qs(urlsplit(mine).query)["state"][0]
    browser.get(f"{reverse('admin:posts_account_callback')}?code={code}&state={state}")
    assert not Account.objects.filter(platform="dancing").exists()


def test_a_right_that_was_not_granted_is_named(browser: Client, server: OAuthServer) -> None:
    server.scope = "read"
    answer = browser.get(agree(leave(browser, reverse("admin:posts_account_add") + "?platform=dancing")), follow=True)
    assert "lacks a right that publishing needs: write" in answer.content.decode()
    assert not Account.objects.filter(platform="dancing").exists()


def test_a_login_with_several_pages_asks_which_to_connect(
    browser: Client, server: OAuthServer, network: Dancing
) -> None:
    network.pages = ("bakery", "band")
    answer = connect(browser)
    page = browser.get(answer.url)
    assert [label for _, label in page.context["form"].fields["chosen"].choices] == ["Ada", "Bakery", "Band"]
    for token in (server.tokens[0].access_token, server.tokens[0].refresh_token):
        assert token not in page.content.decode()
        assert token not in PendingLogin.objects.get().sealed
    assert "This field is required" in browser.post(answer.url).content.decode()
    browser.post(answer.url, {"chosen": ["1", "2"]})
    assert set(Account.objects.filter(platform="dancing").values_list("name", flat=True)) == {"Bakery", "Band"}
    assert browser.post(answer.url, {"chosen": ["0"]}).url == reverse("admin:posts_account_changelist")
    assert Account.objects.filter(platform="dancing").count() == 2


def test_the_choice_is_not_for_others(browser: Client, server: OAuthServer, network: Dancing) -> None:
    network.pages = ("bakery",)
    url = connect(browser).url
    other = Client()
    other.force_login(User.objects.create_superuser("eve"))
    other.post(url, {"chosen": ["1"]})
    assert not Account.objects.filter(platform="dancing").exists()


def test_refresh_tokens_that_work_once_are_stored_each_time(browser: Client, server: OAuthServer) -> None:
    connect(browser)
    account = Account.objects.get(platform="dancing")
    seen = {credentials_of(account)["refresh_token"]}
    for _ in range(3):
        accounts.refresh_credentials(account, seen_version=account.credentials_version)
        seen.add(credentials_of(account)["refresh_token"])
    assert len(seen) == 4
    assert account.refresh_at is not None
    assert account.credentials_expire_at is not None
    assert clock.now() < account.refresh_at < account.credentials_expire_at


def test_a_login_is_renewed_ahead_of_its_end(browser: Client, server: OAuthServer) -> None:
    connect(browser)
    account = Account.objects.get(platform="dancing")
    before = credentials_of(account)["access_token"]
    assert renew_logins(JobContext(Job(), "tests")) == 0
    Account.objects.update(refresh_at=clock.now())
    assert renew_logins(JobContext(Job(), "tests")) == 1
    assert renew_logins(JobContext(Job(), "tests")) == 1  # and the second finds the job that waits
    assert Job.objects.filter(type="posts.renew_login").count() == 1
    run()
    account.refresh_from_db()
    assert credentials_of(account)["access_token"] != before
    assert len(server.asked) == 2
    assert renew_login(JobContext(Job(), "tests"), account.pk) == Done("nothing to renew")


def test_a_login_from_before_renewals_were_planned_gets_a_plan(browser: Client, server: OAuthServer) -> None:
    connect(browser)
    Account.objects.update(refresh_at=None)
    assert renew_logins(JobContext(Job(), "tests")) == 0
    account = Account.objects.get(platform="dancing")
    assert account.refresh_at is not None
    assert account.credentials_expire_at is not None
    assert clock.now() < account.refresh_at < account.credentials_expire_at


def test_a_revoked_login_holds_its_posts_and_after_a_reconnection_a_person_resumes_them(
    browser: Client, server: OAuthServer
) -> None:
    connect(browser)
    account = Account.objects.get(platform="dancing")
    server.revoke("ada")
    post = publish_now(draft(account))
    run()
    delivery = Delivery.objects.get(post=post)
    account.refresh_from_db()
    assert delivery.status == "scheduled"
    assert account.reconnect_reason == "oauth.grant_refused"
    assert Block.objects.filter(key=account.block_key, kind=BlockKind.RECONNECT).exists()
    assert Notice.objects.filter(kind="reconnect").count() == 1

    server.who = "eve"
    again = reverse("admin:posts_account_reconnect", args=[account.pk])
    refused = browser.get(agree(leave(browser, again)), follow=True)
    assert "belong to Eve, but this account is Ada" in refused.content.decode()
    run()
    delivery.refresh_from_db()
    assert delivery.status == "scheduled"

    server.who = "ada"
    page = browser.get(agree(leave(browser, again)), follow=True)
    assert "Resume 1 held post" in page.content.decode()
    run()
    delivery.refresh_from_db()
    assert delivery.status == "scheduled"
    browser.post(reverse("admin:posts_account_resume", args=[account.pk]))
    run()
    delivery.refresh_from_db()
    assert delivery.status == "published"


def test_testing_a_connection_says_who_it_is_and_posts_nothing(browser: Client, server: OAuthServer) -> None:
    connect(browser)
    account = Account.objects.get(platform="dancing")
    data = {"action": "test", "_selected_action": [account.pk], "confirmed": "1"}
    answer = browser.post(reverse("admin:posts_account_changelist"), data, follow=True)
    text = answer.content.decode()
    assert "it is Ada; access ends" in text
    assert "granted: read, write" in text
    account.refresh_from_db()
    assert account.checked_at is not None


def test_tokens_of_ones_own_connect_too(server: OAuthServer, browser: Client) -> None:
    connect(browser)
    own = {"access_token": server.tokens[0].access_token, "refresh_token": server.tokens[0].refresh_token}
    Account.objects.all().delete()
    (account,) = connect_with_tokens("dancing", own, {})
    assert account.identity_id == "ada"
    assert account.credentials_expire_at is None


def test_a_site_without_an_app_says_how_to_get_one(browser: Client, server: OAuthServer, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "PLATFORMS": {}}
    page = browser.get(reverse("admin:posts_account_add") + "?platform=dancing").content.decode()
    assert "SOCIALQ_DANCING_CLIENT_ID" in page
    assert callback_url() in page


def test_a_wrong_secret_of_the_app_holds_all_its_posts_until_it_is_mended(
    browser: Client, server: OAuthServer, settings: Any
) -> None:
    connect(browser)
    account = Account.objects.get(platform="dancing")
    Account.objects.update(credentials_expire_at=clock.now())
    right = settings.SOCIALQ
    app = right["PLATFORMS"]["dancing"] | {"CLIENT_SECRET": "another"}
    settings.SOCIALQ = {**right, "PLATFORMS": {"dancing": app}}
    post = publish_now(draft(account))
    run()
    account.refresh_from_db()
    assert (Delivery.objects.get(post=post).status, account.reconnect_reason) == ("scheduled", "")
    assert Block.objects.filter(key="platform:dancing", kind=BlockKind.RATE_LIMIT).exists()
    assert Notice.objects.filter(kind="platform", cleared_at=None).count() == 1

    settings.SOCIALQ = right
    clock.set_offset(timedelta(hours=1, minutes=1))
    blocks.lift_elapsed()
    run()
    clock.set_offset(timedelta(0))
    assert Delivery.objects.get(post=post).status == "published"
    assert not Notice.objects.filter(kind="platform", cleared_at=None).exists()
