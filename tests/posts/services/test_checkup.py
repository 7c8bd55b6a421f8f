"""What the doctor says of publishing: keys, files, apps, and the ways to the networks that accounts use."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from pytest_httpserver import HTTPServer

from posts import credentials
from posts.models import Account
from posts.publishing import registry
from posts.publishing.types import App
from posts.services.checkup import examine_publishing
from queue_app.doctor import Finding
from tests.posts.making import account

pytestmark = pytest.mark.django_db(transaction=True)


def found(about: str, *, offline: bool = True) -> list[Finding]:
    return [each for each in examine_publishing(offline) if each.about == about and each.level != "ok"]


def mastodon(url: str, name: str = "Ada") -> Account:
    return account(name, "mastodon", config={"instance": url})


@pytest.fixture
def with_private(settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}


def test_keys_that_come_from_the_secret_key_are_a_warning(settings: Settings) -> None:
    assert found("encryption keys") == []
    settings.SOCIALQ = {**settings.SOCIALQ, "ENCRYPTION_KEYS": []}
    assert [finding.level for finding in found("encryption keys")] == ["warning"]


def test_logins_that_no_key_opens_are_an_error(settings: Settings) -> None:
    lost = account()
    lost.sealed_credentials = credentials.seal(lost.uuid, {"token": "canary"})
    lost.save()
    assert found("encryption keys") == []
    settings.SOCIALQ = {**settings.SOCIALQ, "ENCRYPTION_KEYS": ["dGhlLWtleS1vZi1ub2JvZHktZWxzZS1pbi10ZXN0cyE="]}
    (finding,) = found("encryption keys")
    assert finding.level == "error"
    assert "1 accounts" in finding.says
    assert "canary" not in str(finding)


def test_a_media_folder_that_cannot_be_written_is_an_error(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    assert found("media folder") == []
    settings.MEDIA_ROOT = Path("/proc")
    assert [finding.level for finding in found("media folder")] == ["error"]


def test_an_app_is_missed_where_an_account_needs_it_and_noted_elsewhere() -> None:
    assert found("networks") == []
    account("Ada", "linkedin")
    (finding,) = found("networks")
    assert (finding.level, "SOCIALQ_LINKEDIN_CLIENT_ID" in finding.says) == ("error", True)


def test_each_server_is_knocked_at_once_and_any_answer_will_do(httpserver: HTTPServer, with_private: None) -> None:
    httpserver.expect_request("/").respond_with_data(status=404)
    mastodon(httpserver.url_for(""), "Ada")
    mastodon(httpserver.url_for(""), "Ben")
    assert found("Mastodon", offline=False) == []
    assert len(httpserver.log) == 1
    assert found("Mastodon") == []
    assert len(httpserver.log) == 1


def test_a_server_that_is_not_there_is_an_error_in_words(with_private: None) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        mastodon(f"http://127.0.0.1:{taken.getsockname()[1]}")
        (finding,) = found("Mastodon", offline=False)
    assert (finding.level, finding.says.startswith("http://127.0.0.1:")) == ("error", True)


def test_the_guard_keeps_the_doctor_from_private_networks(httpserver: HTTPServer, settings: Settings) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": False}
    mastodon(httpserver.url_for(""))
    assert [finding.level for finding in found("Mastodon", offline=False)] == ["error"]
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("name", "config", "server"),
    [
        ("x", {}, "https://api.x.com"),
        ("bluesky", {"pds": "https://pds.example.org/"}, "https://pds.example.org"),
        ("bluesky", {}, "https://bsky.social"),
        ("telegram", {"api_url": "http://bot.internal:8081"}, "http://bot.internal:8081"),
        ("instagram", {"login": "facebook"}, "https://graph.facebook.com"),
        ("instagram", {}, "https://graph.instagram.com"),
        ("webhook", {}, ""),
        ("outbox", {}, ""),
    ],
)
def test_where_the_posts_of_an_account_go(name: str, config: dict[str, Any], server: str) -> None:
    assert registry.get(name).server(App(), config) == server


@pytest.mark.one_database
def test_every_network_says_where_it_is_unless_its_servers_are_anywhere() -> None:
    nowhere = {name for name, platform in registry.platforms().items() if not platform.api_server}
    assert nowhere == {"outbox", "webhook", "mastodon"}
