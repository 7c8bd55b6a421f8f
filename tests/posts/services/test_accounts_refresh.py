"""Refreshing logins: one process at a time, a late answer writes nothing, and nothing known is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from posts import credentials
from posts.models import Account
from posts.publishing import registry
from posts.publishing.capabilities import Capabilities, ImageLimits
from posts.publishing.errors import PublishError, RateLimited, ReconnectNeeded, Temporary
from posts.publishing.platform import Checkpoints, Platform, Session
from posts.publishing.types import CannotTell, Connection, Content, Finding, Identity, Json, Published
from posts.services.accounts import RefreshBusy, connect_account, ensure_fresh, refresh_credentials
from posts.services.events import forget_logins
from posts.services.sessions import BUSY_WAIT, renewal_time, session_for
from queue_app import clock

pytestmark = pytest.mark.django_db(transaction=True)

IDENTITY = Identity("7", "Ada")


class SingleUse(Platform):
    """A network whose refresh tokens work once: a second use of one ends the login."""

    name = "single_use"
    label = "Single Use"
    capabilities = Capabilities((), 0, ImageLimits(1, 1))
    refreshes = True

    def __init__(self) -> None:
        self.valid = "refresh-0"
        self.refreshes_seen = 0
        self.answers: list[Connection | PublishError] = []
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def connect(self, session: Session, answers: Mapping[str, str]) -> Connection:
        return Connection(IDENTITY, self._login(), {"server": "a.example"}, clock.now() + timedelta(hours=2))

    def check(self, session: Session) -> Connection:
        return self.connect(session, {})

    def refresh(self, session: Session) -> Connection:
        self.refreshes_seen += 1
        self.entered.set()
        assert self.go_on.wait(20)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, PublishError):
                raise answer
            return answer
        if session.credentials["refresh"] != self.valid:
            raise ReconnectNeeded
        self.valid = f"refresh-{self.refreshes_seen}"
        return Connection(IDENTITY, self._login(), {}, clock.now() + timedelta(hours=2))

    def prepare(self, session: Session, content: Content, checkpoints: Checkpoints) -> Json:
        raise NotImplementedError

    def commit(self, session: Session, snapshot: Json) -> Published:
        raise NotImplementedError

    def find(self, session: Session, snapshot: Json, marked_at: Any) -> Finding:
        return CannotTell("no_read_back")

    def _login(self) -> Json:
        return {"access": f"access-{self.refreshes_seen}", "refresh": self.valid}


@pytest.fixture
def network(settings: Any, monkeypatch: pytest.MonkeyPatch) -> SingleUse:
    network = SingleUse()
    monkeypatch.setattr(registry, "_registered", {**registry._registered, network.name: network})
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": [network.name]}
    return network


@pytest.fixture
def account(network: SingleUse) -> Account:
    return connect_account(network.name, {})


@pytest.fixture
def later() -> Iterator[Any]:
    yield lambda **passed: clock.set_offset(timedelta(**passed))
    clock.set_offset(timedelta(0))


def opened(account: Account) -> Json:
    account.refresh_from_db()
    return credentials.unseal(account.uuid, account.sealed_credentials)


def in_thread(work: Any) -> tuple[threading.Thread, list[Any]]:
    """Start ``work`` on a connection of its own; its answer or error is in the list once the thread has ended."""
    said: list[Any] = []

    def run() -> None:
        try:
            said.append(work())
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            said.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, said


def test_a_refresh_stores_a_new_version_in_place(account: Account, network: SingleUse) -> None:
    sealed = account.sealed_credentials
    assert refresh_credentials(account, seen_version=1) is account
    assert (account.credentials_version, account.refresh_lease_until) == (2, None)
    assert account.sealed_credentials != sealed
    assert opened(account) == {"access": "access-1", "refresh": "refresh-1"}
    assert account.config["server"] == "a.example"


def test_only_one_of_two_processes_refreshes(account: Account, network: SingleUse) -> None:
    network.go_on.clear()
    thread, said = in_thread(lambda: refresh_credentials(Account.objects.get(pk=account.pk), seen_version=1))
    try:
        assert network.entered.wait(20)
        with pytest.raises(RefreshBusy) as raised:
            refresh_credentials(account, seen_version=1)
        assert clock.now() < raised.value.until <= clock.now() + BUSY_WAIT  # not until the lease ends
    finally:
        network.go_on.set()
        thread.join(30)
    assert said[0].credentials_version == 2
    assert network.refreshes_seen == 1
    # The loser comes back, still with what it saw, and finds the work done.
    assert refresh_credentials(account, seen_version=1).credentials_version == 2
    assert network.refreshes_seen == 1


def test_many_at_once_refresh_once(account: Account, network: SingleUse) -> None:
    together = threading.Barrier(4)

    def one() -> Account:
        mine = Account.objects.get(pk=account.pk)
        together.wait(20)
        return refresh_credentials(mine, seen_version=1)

    threads = [in_thread(one) for _ in range(4)]
    for thread, _ in threads:
        thread.join(30)
    answers = [said[0] for _, said in threads]
    assert all(isinstance(answer, (Account, RefreshBusy)) for answer in answers)
    assert any(isinstance(answer, Account) for answer in answers)
    assert network.refreshes_seen == 1
    assert opened(account)["refresh"] == network.valid


def test_the_lease_of_a_process_that_died_ends(account: Account, network: SingleUse, later: Any) -> None:
    Account.objects.filter(pk=account.pk).update(refresh_lease_until=clock.now() + timedelta(seconds=60))
    with pytest.raises(RefreshBusy):
        refresh_credentials(account, seen_version=1)
    later(seconds=61)
    assert refresh_credentials(account, seen_version=1).credentials_version == 2


def test_a_fence_that_has_moved_on_writes_nothing(account: Account, network: SingleUse, later: Any) -> None:
    """The first process stands still past its lease; the second refreshes; the first then answers."""
    first_goes_on = threading.Event()
    seen = threading.Event()

    def slow(session: Session) -> Connection:
        seen.set()
        assert first_goes_on.wait(20)
        return Connection(IDENTITY, {"access": "late", "refresh": "late"})

    quick = network.refresh
    network.refresh = slow  # type: ignore[method-assign]  # this one call only
    thread, said = in_thread(lambda: refresh_credentials(Account.objects.get(pk=account.pk), seen_version=1))
    try:
        assert seen.wait(20)
        network.refresh = quick  # type: ignore[method-assign]  # as it was
        later(minutes=5)
        assert refresh_credentials(account, seen_version=1).credentials_version == 2
    finally:
        first_goes_on.set()
        thread.join(30)
    assert said[0].credentials_version == 2
    assert opened(account) == {"access": "access-1", "refresh": "refresh-1"}


def test_a_reconnect_meanwhile_wins_over_the_refresh(account: Account, network: SingleUse) -> None:
    network.go_on.clear()
    network.answers = [Connection(IDENTITY, {"access": "late", "refresh": "late"})]
    thread, _said = in_thread(lambda: refresh_credentials(Account.objects.get(pk=account.pk), seen_version=1))
    try:
        assert network.entered.wait(20)
        connect_account(network.name, {})
    finally:
        network.go_on.set()
        thread.join(30)
    assert opened(account)["refresh"] == "refresh-0"
    assert account.credentials_version == 2


def test_an_answer_without_a_refresh_token_keeps_the_old_one(account: Account, network: SingleUse) -> None:
    network.answers = [
        Connection(IDENTITY, {"access": "new"}),
        Connection(IDENTITY, {"access": "newer", "refresh": ""}),
    ]
    refresh_credentials(account, seen_version=1)
    assert opened(account) == {"access": "new", "refresh": "refresh-0"}
    refresh_credentials(account, seen_version=2)
    assert opened(account) == {"access": "newer", "refresh": "refresh-0"}


@pytest.mark.parametrize("error", [Temporary(), ReconnectNeeded()])
def test_a_failure_gives_the_lease_back_and_keeps_what_there_was(
    account: Account, network: SingleUse, error: PublishError
) -> None:
    network.answers = [error]
    with pytest.raises(type(error)):
        refresh_credentials(account, seen_version=1)
    assert opened(account)["refresh"] == "refresh-0"
    assert account.refresh_lease_until is None
    assert refresh_credentials(account, seen_version=1).credentials_version == 2


def test_that_the_sites_app_is_refused_is_no_fault_of_the_account(account: Account, network: SingleUse) -> None:
    network.answers = [ReconnectNeeded("oauth.client_refused")]
    with pytest.raises(RateLimited, match="client_refused") as caught:
        refresh_credentials(account, seen_version=1)
    assert (caught.value.scope, caught.value.tell) == ("app", True)
    assert account.reconnect_reason == ""


def test_a_login_of_another_identity_is_not_taken(account: Account, network: SingleUse) -> None:
    network.answers = [Connection(Identity("8", "Eve"), {"access": "eve", "refresh": "eve"})]
    with pytest.raises(ReconnectNeeded, match="identity_changed"):
        refresh_credentials(account, seen_version=1)
    assert opened(account)["refresh"] == "refresh-0"


def test_what_is_fresh_is_left_alone_and_what_ends_soon_is_refreshed(
    account: Account, network: SingleUse, later: Any
) -> None:
    assert ensure_fresh(account).credentials_version == 1
    later(hours=1, minutes=56)
    assert ensure_fresh(account).credentials_version == 2


def test_a_login_that_still_holds_is_used_while_the_server_is_away(
    account: Account, network: SingleUse, later: Any
) -> None:
    network.answers = [Temporary(), Temporary()]
    later(hours=1, minutes=56)
    assert ensure_fresh(account).credentials_version == 1
    later(hours=2)
    with pytest.raises(Temporary):
        ensure_fresh(account)


def test_a_login_is_renewed_ahead_only_where_that_moves_its_end(network: SingleUse) -> None:
    now = clock.now()
    ends_at = now + timedelta(days=60)
    due = renewal_time(network.name, ends_at, now + timedelta(days=365))
    assert due is not None
    assert now + timedelta(days=41) < due < now + timedelta(days=52)
    assert renewal_time(network.name, ends_at) is not None
    assert renewal_time(network.name, ends_at, ends_at) is None  # nothing to trade for a new one
    assert renewal_time(network.name, None) is None


def test_a_platform_is_never_called_inside_a_transaction(account: Account) -> None:
    session = session_for(account)
    with pytest.raises(RuntimeError, match="inside a database transaction"), transaction.atomic():
        session.http.request("GET", "http://127.0.0.1:1/")


def test_a_refresh_that_ends_after_its_login_was_to_be_forgotten_stores_nothing(
    network: SingleUse, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:

    def forgotten_meanwhile(session: Session) -> Connection:
        forget_logins("single_use", [IDENTITY.id])
        return Connection(IDENTITY, {"access": "new", "refresh": "new"}, {}, clock.now() + timedelta(hours=2))

    monkeypatch.setattr(network, "refresh", forgotten_meanwhile)
    refresh_credentials(account, seen_version=account.credentials_version)
    assert set(opened(account).values()) == {""}
