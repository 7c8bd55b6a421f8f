"""Connecting and reconnecting, asking for it, disabling, deleting; and that no secret gets out on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from posts import credentials
from posts.models import Account, Delivery, DeliveryStatus, Post
from posts.publishing import registry
from posts.publishing.errors import ContentRejected, ReconnectNeeded
from posts.publishing.types import Field
from posts.services.account_deletion import delete_account, deletion_effects
from posts.services.accounts import (
    ConnectFailed,
    connect_account,
    disable_account,
    enable_account,
    reconnect_account,
    reconnect_answers,
    session_for,
)
from posts.services.errors import Refused, ValidationFailed
from posts.services.posts import publish_now
from posts.services.sessions import new_session
from posts.services.standing import ask_reconnect, login_works, move_account, public_error, tell_login_ends
from queue_app import blocks, clock, rescue
from queue_app.models import Block, BlockKind, Job, Notice
from tests.posts import making
from tests.posts.making import draft, sent
from tests.posts.platforms.fake_pds import PASSWORD, FakePds, did_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pds(settings: Any) -> Iterator[FakePds]:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": True}
    with FakePds() as server:
        server.passwords["carol.test"] = "efgh-efgh-efgh-efgh"
        yield server


def connected(pds: FakePds, **answers: str) -> Account:
    return connect_account("bluesky", {"identifier": "alice.test", "password": PASSWORD, "service": pds.url, **answers})


def outbox(name: str = "Ada") -> Account:
    return connect_account("outbox", {"name": name})


def test_keeps_identity_config_and_sealed_credentials(pds: FakePds) -> None:
    account = connected(pds)
    assert (account.platform, account.name, account.identity_id) == ("bluesky", "alice.test", did_of("alice.test"))
    assert account.config["service"] == pds.url
    opened = credentials.unseal(account.uuid, account.sealed_credentials)
    assert set(opened) == {"access_jwt", "refresh_jwt"}
    assert account.key_fingerprint == credentials.fingerprint()
    assert account.credentials_expire_at is not None
    stored = Account.objects.filter(pk=account.pk).values().get()
    for secret in (PASSWORD, *opened.values()):
        assert secret not in str(stored)


def test_ciphertext_of_another_account_does_not_open(pds: FakePds) -> None:
    alice, ada = connected(pds), outbox()
    Account.objects.filter(pk=ada.pk).update(sealed_credentials=alice.sealed_credentials)
    ada.refresh_from_db()
    with pytest.raises(ReconnectNeeded, match="credentials_unreadable"):
        session_for(ada)


def test_the_session_hides_its_secrets(pds: FakePds) -> None:
    session = session_for(connected(pds))
    token = session.credentials["access_jwt"]
    assert session.http.redact(f"Bearer {token}") == "Bearer [secret]"
    assert token not in repr(session)


def test_only_those_settings_of_a_platform_are_hidden_that_are_secrets(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = (Field("audited", "Audited"), Field("key", "Key", secret=True))
    monkeypatch.setattr(type(registry.get("telegram")), "app_settings", fields)
    given = {"AUDITED": "true", "KEY": "key-canary"}
    settings.SOCIALQ = {**settings.SOCIALQ, "PLATFORMS": {"telegram": given}}
    session = new_session("telegram", {}, {})
    assert session.app.settings == {"audited": "true", "key": "key-canary"}
    assert session.http.redact('{"a": true, "b": "key-canary"}') == '{"a": true, "b": "[secret]"}'


def test_a_wrong_password_is_said_and_nothing_saved(pds: FakePds) -> None:
    with pytest.raises(ConnectFailed, match="does not know this handle with this app password") as raised:
        connected(pds, password="wrong-canary")
    assert raised.value.code == "bluesky.wrong_password"
    assert "wrong-canary" not in str(raised.value)
    assert not Account.objects.exists()


def test_a_server_that_quotes_the_password_gives_nothing_away(pds: FakePds) -> None:
    quoted = {"error": "AuthenticationRequired", "message": f"bad password {PASSWORD}"}
    pds.fault("createSession", status=401, body=quoted)
    with pytest.raises(ConnectFailed) as raised:
        connected(pds)
    assert "[secret]" in str(raised.value)
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize("kind", ["cut", "answer"])
def test_a_fault_of_the_server_is_not_said_to_mend_itself(pds: FakePds, kind: str) -> None:
    pds.fault("createSession", kind=kind, status=502)
    with pytest.raises(ConnectFailed, match="Nothing was saved; try again in a moment") as raised:
        connected(pds)
    assert "by itself" not in str(raised.value)


def test_a_server_that_is_not_there_is_named(pds: FakePds) -> None:
    with pytest.raises(ConnectFailed, match=r"not accept a connection.*Check the address of the server") as raised:
        connected(pds, service="http://127.0.0.1:1")
    assert "by itself" not in str(raised.value)


def test_a_private_address_is_refused_with_the_setting_that_allows_it(pds: FakePds, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ALLOW_PRIVATE_NETWORKS": False}
    with pytest.raises(ConnectFailed, match="SOCIALQ_ALLOW_PRIVATE_NETWORKS=true"):
        connected(pds)
    assert pds.seen == []


def test_platforms_that_are_unknown_or_not_enabled_are_refused_by_name(settings: Any) -> None:
    with pytest.raises(Refused, match=r"Unknown platform “myspace”\. This site has: bluesky, .*outbox, .*telegram"):
        connect_account("myspace", {})
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["outbox"]}
    with pytest.raises(Refused, match="Bluesky is not enabled"):
        connect_account("bluesky", {})


def test_every_missing_answer_is_named() -> None:
    with pytest.raises(ValidationFailed) as raised:
        connect_account("bluesky", {"identifier": " "})
    assert [problem.field for problem in raised.value.problems] == ["identifier", "password"]


def test_connecting_the_same_identity_again_reconnects_it(pds: FakePds) -> None:
    account = connected(pds)
    assert ask_reconnect(account, "bluesky.session_over")
    again = connected(pds)
    assert again.pk == account.pk
    assert again.credentials_version == account.credentials_version + 1
    assert again.reconnect_reason == ""
    assert not Block.objects.exists()


def test_reconnecting_needs_only_the_secret(pds: FakePds) -> None:
    account = connected(pds)
    assert reconnect_answers(account) == {"identifier": "alice.test", "service": pds.url}
    reconnect_account(account, {"password": PASSWORD})
    assert account.credentials_version == 2


def test_reconnecting_as_another_identity_is_refused_by_name(pds: FakePds) -> None:
    account = connected(pds)
    sealed = account.sealed_credentials
    with pytest.raises(Refused, match=r"belong to carol\.test, but this account is alice\.test"):
        reconnect_account(account, {"identifier": "carol.test", "password": "efgh-efgh-efgh-efgh"})
    account.refresh_from_db()
    assert (account.identity_id, account.sealed_credentials) == (did_of("alice.test"), sealed)
    assert Account.objects.count() == 1


def test_asking_to_reconnect_blocks_the_account_and_tells_people_once() -> None:
    account = outbox()
    for _ in range(2):
        assert ask_reconnect(account, "reconnect_needed")
    assert Block.objects.get().key == account.block_key
    notice = Notice.objects.get()
    assert (notice.kind, notice.subject) == ("reconnect", "Ada (Outbox)")
    assert "Connect the account again" in notice.text
    account.refresh_from_db()
    assert account.reconnect_reason == "reconnect_needed"


def test_a_late_ask_after_a_reconnect_changes_nothing() -> None:
    seen = outbox()
    outbox()
    assert not ask_reconnect(seen, "reconnect_needed")
    assert not Block.objects.exists()
    assert not Notice.objects.exists()


def test_an_account_that_was_renamed_meanwhile_ends_its_notices_when_it_is_reconnected() -> None:
    account = outbox()
    ask_reconnect(account, "reconnect_needed")
    tell_login_ends(account, clock.now())
    Account.objects.update(name="Ada King")
    account.refresh_from_db()
    ask_reconnect(account, "reconnect_needed")
    assert Notice.objects.count() == 2
    outbox()
    assert not Notice.objects.filter(cleared_at=None).exists()


def test_two_accounts_of_one_name_are_two_incidents() -> None:
    first, second = making.account(), making.account()
    for account in (first, second):
        ask_reconnect(account, "reconnect_needed")
    login_works(first)
    assert [notice.key for notice in Notice.objects.filter(cleared_at=None)] == [second.block_key]


def test_deleting_ends_what_was_told_of_the_account() -> None:
    account = outbox()
    ask_reconnect(account, "reconnect_needed")
    tell_login_ends(account, clock.now())
    Account.objects.update(name="Ada King")
    account.refresh_from_db()
    delete_account(account)
    assert Notice.objects.filter(cleared_at=None).count() == 0


def test_reconnecting_lets_waiting_posts_go_and_ends_the_notice() -> None:
    account = outbox()
    post = publish_now(draft(account))
    ask_reconnect(account, "reconnect_needed")
    Job.objects.filter(delivery__post=post).update(parked_by=account.block_key)
    outbox()
    assert Job.objects.get(delivery__post=post).parked_by == ""
    assert Post.objects.filter(pk=post.pk).exists()
    assert Notice.objects.get().cleared_at is not None


@pytest.mark.parametrize("kind", [BlockKind.DISABLED, BlockKind.RECONNECT])
def test_an_account_that_is_back_is_not_left_blocked_by_a_process_that_dies(
    monkeypatch: pytest.MonkeyPatch, kind: BlockKind
) -> None:
    account = outbox()
    post = publish_now(draft(account))
    if kind == BlockKind.DISABLED:
        disable_account(account)
    else:
        ask_reconnect(account, "reconnect_needed")
    Job.objects.filter(delivery__post=post).update(parked_by=account.block_key)
    with monkeypatch.context() as patch:
        for name in ("lift", "unpark_free"):
            patch.setattr(blocks, name, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            enable_account(account) if kind == BlockKind.DISABLED else outbox()
    account.refresh_from_db()
    assert (account.enabled, account.reconnect_reason) == (True, "")
    assert not Block.objects.exists()
    rescue.rescue()
    assert Job.objects.get(delivery__post=post).parked_by == ""


def test_disabling_blocks_and_enabling_lets_go() -> None:
    account = outbox()
    post = publish_now(draft(account))
    disable_account(account, actor="grace")
    block = Block.objects.get()
    assert (block.key, block.kind, block.actor) == (account.block_key, BlockKind.DISABLED, "grace")
    Job.objects.filter(delivery__post=post).update(parked_by=account.block_key)
    assert enable_account(account) == 1
    account.refresh_from_db()
    assert account.enabled
    assert not Block.objects.exists()


def test_deleting_is_refused_while_posts_go_out_to_it() -> None:
    account = outbox()
    sent(account)
    publish_now(draft(account))
    draft(account)
    with pytest.raises(Refused, match=r"Ada on Outbox cannot be deleted: 2 posts go out to it .* 1 more"):
        delete_account(account)
    assert Account.objects.exists()
    assert Delivery.objects.count() == 3


def test_deleting_takes_the_account_off_drafts() -> None:
    account, other = outbox(), outbox("Bob")
    disable_account(account)
    post = draft(account, other)
    assert [found.pk for found in deletion_effects(account).drafts] == [post.pk]
    delete_account(account)
    assert [found.account for found in post.deliveries.all()] == [other]
    assert post.deliveries.get().status == DeliveryStatus.DRAFT
    assert not Block.objects.exists()


def test_a_move_is_taken_over_unless_the_new_id_is_taken() -> None:
    chat = Account.objects.create(
        platform="telegram", name="News", identity_id="-1", config={"chat_id": -1, "bot": "b"}
    )
    move_account(chat, {"chat_id": -1001}, "-1001")
    assert (chat.identity_id, chat.config) == ("-1001", {"chat_id": -1001, "bot": "b"})
    other = Account.objects.create(platform="telegram", name="Old", identity_id="-2")
    move_account(other, {"chat_id": -1001}, "-1001")
    assert (other.identity_id, other.config["chat_id"]) == ("-2", -1001)


def test_errors_are_put_into_one_line_of_words() -> None:
    error = ContentRejected("content_rejected", detail="too\nlong")
    assert public_error(error, outbox()) == "Outbox refused the post. (too long)"
    assert public_error(error, Account(platform="gone", name="X")).startswith("gone refused the post.")
