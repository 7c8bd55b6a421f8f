"""Sealing anew under a new key: everything, once, interrupted or beside a refresh, and naming what it cannot open."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from posts import credentials
from posts.models import Account, AppRegistration, PendingLogin
from posts.services import keys
from posts.services.keys import rotate_keys
from queue_app import clock
from tests.posts.making import account, user

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def use_keys(settings: Any) -> Callable[..., None]:
    def use(*newest_first: str) -> None:
        settings.SOCIALQ = {**settings.SOCIALQ, "ENCRYPTION_KEYS": list(newest_first)}

    use(OLD)
    return use


def sealed_account(name: str) -> Account:
    made = account(name, key_fingerprint=credentials.fingerprint(), credentials_version=1)
    made.sealed_credentials = credentials.seal(made.uuid, {"token": f"token of {name}"})
    made.save()
    return made


def registration(key: str = "mastodon.example") -> AppRegistration:
    made = AppRegistration(platform="mastodon", key=key)
    made.sealed = credentials.seal(made.uuid, {"client_secret": "s3cret"})
    made.save()
    return made


def opened(made: Account) -> dict[str, Any]:
    made.refresh_from_db()
    return credentials.unseal(made.uuid, made.sealed_credentials)


def test_everything_opens_with_the_new_key_alone(use_keys: Callable[..., None]) -> None:
    ada, bob, app = sealed_account("Ada"), sealed_account("Bob"), registration()
    login = PendingLogin(user=user(), platform="mastodon", state_hash="h", created_at=clock.now())
    login.sealed = credentials.seal(login.uuid, {"verifier": "v"})
    login.save()
    use_keys(NEW, OLD)
    rotation = rotate_keys()
    assert (rotation.sealed, rotation.unreadable, rotation.busy) == (4, [], [])
    use_keys(NEW)
    assert (opened(ada), opened(bob)) == ({"token": "token of Ada"}, {"token": "token of Bob"})
    assert {ada.key_fingerprint, bob.key_fingerprint} == {credentials.fingerprint()}
    assert ada.credentials_version == 1  # it is the same login
    app.refresh_from_db()
    login.refresh_from_db()
    assert credentials.unseal(app.uuid, app.sealed) == {"client_secret": "s3cret"}
    assert credentials.unseal(login.uuid, login.sealed) == {"verifier": "v"}


def test_a_site_that_had_no_keys_yet_can_set_some(use_keys: Callable[..., None]) -> None:
    use_keys()  # SECRET_KEY's alone
    ada = sealed_account("Ada")
    use_keys(NEW)
    assert opened(ada) == {"token": "token of Ada"}
    assert rotate_keys().sealed == 1
    ada.refresh_from_db()
    assert credentials.is_newest(ada.sealed_credentials)


def test_what_is_under_the_newest_key_is_not_touched(use_keys: Callable[..., None]) -> None:
    ada, app = sealed_account("Ada"), registration()
    account("without a login")
    before = ada.sealed_credentials, app.sealed
    assert rotate_keys().sealed == 0
    ada.refresh_from_db()
    app.refresh_from_db()
    assert (ada.sealed_credentials, app.sealed) == before


def test_a_dry_run_counts_and_changes_nothing(use_keys: Callable[..., None]) -> None:
    ada = sealed_account("Ada")
    before = ada.sealed_credentials
    use_keys(NEW, OLD)
    assert rotate_keys(dry_run=True).sealed == 1
    ada.refresh_from_db()
    assert ada.sealed_credentials == before


def test_an_interrupted_run_goes_on_where_it_stopped(
    use_keys: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [sealed_account(name) for name in ("Ada", "Bob", "Cy")]
    use_keys(NEW, OLD)
    monkeypatch.setattr(keys, "BATCH", 1)
    told: list[tuple[int, int]] = []

    def interrupted(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_keys(progress=interrupted)
    assert told == [(1, 3), (2, 3)]
    first = [Account.objects.get(pk=each.pk).sealed_credentials for each in made]
    assert rotate_keys().sealed == 1
    second = [Account.objects.get(pk=each.pk).sealed_credentials for each in made]
    assert second[:2] == first[:2]
    use_keys(NEW)
    assert [opened(each)["token"] for each in made] == ["token of Ada", "token of Bob", "token of Cy"]


@pytest.mark.parametrize("key_of_the_other", [OLD, NEW], ids=["older settings", "newest key"])
def test_a_refresh_meanwhile_is_never_overwritten(
    use_keys: Callable[..., None], monkeypatch: pytest.MonkeyPatch, key_of_the_other: str
) -> None:
    """Somebody writes between our reading and our writing; a worker that runs with older settings seals with OLD."""
    ada = sealed_account("Ada")
    seal, raced = credentials.seal, []

    def refreshed_first(uuid: Any, values: dict[str, Any]) -> str:
        if not raced:
            raced.append(True)
            use_keys(key_of_the_other)
            fresh = {"sealed_credentials": seal(uuid, {"token": "fresh"}), "key_fingerprint": credentials.fingerprint()}
            Account.objects.filter(pk=ada.pk).update(credentials_version=2, **fresh)
            use_keys(NEW, OLD)
        return seal(uuid, values)

    use_keys(NEW, OLD)
    monkeypatch.setattr(credentials, "seal", refreshed_first)
    assert rotate_keys().sealed == (key_of_the_other == OLD)
    use_keys(NEW)
    assert opened(ada) == {"token": "fresh"}
    assert (ada.credentials_version, ada.key_fingerprint) == (2, credentials.fingerprint())


def test_an_account_that_changes_each_time_is_named(
    use_keys: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = sealed_account("Ada")
    seal = credentials.seal

    def always_first(uuid: Any, values: dict[str, Any]) -> str:
        use_keys(OLD)
        Account.objects.filter(pk=ada.pk).update(sealed_credentials=seal(uuid, {"token": "fresh"}))
        use_keys(NEW, OLD)
        return seal(uuid, values)

    use_keys(NEW, OLD)
    monkeypatch.setattr(credentials, "seal", always_first)
    rotation = rotate_keys()
    assert (rotation.sealed, rotation.busy) == (0, ["Ada on Outbox"])
    assert opened(ada) == {"token": "fresh"}


def test_an_account_that_is_deleted_meanwhile_is_no_fault(
    use_keys: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = sealed_account("Ada")
    unseal = credentials.unseal

    def deleted_first(uuid: Any, sealed: str) -> dict[str, Any]:
        values = unseal(uuid, sealed)
        Account.objects.filter(pk=ada.pk).delete()
        return values

    use_keys(NEW, OLD)
    monkeypatch.setattr(credentials, "unseal", deleted_first)
    assert rotate_keys() == keys.Rotation()


# The command


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_how_many(use_keys: Callable[..., None]) -> None:
    sealed_account("Ada")
    use_keys(NEW, OLD)
    assert run("--dry-run") == "1 stored logins would be sealed anew; nothing was changed\n"
    assert run() == f"1 stored logins sealed anew with the key {credentials.fingerprint()}\n"
    assert json.loads(run("--json")) == {
        "sealed": 0,
        "unreadable": [],
        "busy": [],
        "dry_run": False,
        "key": credentials.fingerprint(),
    }


@pytest.mark.parametrize("arguments", [(), ("--dry-run",), ("--json",)])
def test_what_cannot_be_opened_is_named_and_the_rest_is_done(
    use_keys: Callable[..., None], arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    use_keys(LOST)
    sealed_account("Ada")
    registration()
    use_keys(OLD)
    bob = sealed_account("Bob")
    use_keys(NEW, OLD)
    with pytest.raises(CommandError, match=r"2 cannot be opened: Ada on Outbox, mastodon at mastodon.example\. Put"):
        call_command("rotate_keys", *arguments)
    assert "token of" not in capsys.readouterr().out
    bob.refresh_from_db()
    assert (bob.key_fingerprint == credentials.fingerprint()) is (arguments != ("--dry-run",))
