"""Testing a connection: ask the network who the login belongs to and what it may do. Posts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from posts.models import Account
from posts.publishing import registry
from posts.publishing.errors import PublishError, ReconnectNeeded, TokenExpired
from posts.publishing.types import Connection
from posts.services.accounts import ConnectFailed, known_platform
from posts.services.sessions import refresh_credentials, session_for
from posts.services.standing import ask_reconnect
from queue_app import clock
from queue_app.database import atomic


@dataclass(frozen=True, slots=True)
class CheckedAccount:
    """What a test of the connection found: who it is there, what it may do, when the login ends (aware UTC)."""

    name: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    refreshes: bool


def check_account(account: Account) -> CheckedAccount:
    """Ask the network about ``account`` and keep what has changed there; in place.

    An expired login is renewed once. One that only its owner can mend is marked so, and ConnectFailed says why; other
    faults are ConnectFailed too and change nothing. Raises RefreshBusy where another process renews it.
    """
    platform = known_platform(account.platform)
    try:
        found = _asked(account)
        if found.identity.id != account.identity_id:
            raise ReconnectNeeded("identity_changed", identity=found.identity.name)
    except ReconnectNeeded as error:
        ask_reconnect(account, error.code)
        raise ConnectFailed(error, platform) from None
    except PublishError as error:
        raise ConnectFailed(error, platform) from None
    with atomic():
        locked = Account.objects.select_for_update().get(pk=account.pk)
        locked.config = {**locked.config, **found.config}
        locked.scopes = list(found.scopes) or locked.scopes
        locked.credentials_expire_at = found.expires_at or locked.credentials_expire_at
        locked.checked_at = clock.now()
        locked.save(update_fields=["config", "scopes", "credentials_expire_at", "checked_at", "updated_at"])
    account.refresh_from_db()
    return CheckedAccount(
        found.identity.name, tuple(account.scopes), account.credentials_expire_at, refreshes=platform.refreshes
    )


def _asked(account: Account) -> Connection:
    platform = registry.get(account.platform)
    try:
        return platform.check(session_for(account))
    except TokenExpired as error:
        if not platform.refreshes:
            raise ReconnectNeeded(error.code, detail=error.detail, status_code=error.status_code) from None
    refresh_credentials(account, seen_version=account.credentials_version)
    return platform.check(session_for(account))
