"""What a platform works with for one account, and keeping its login fresh.

Owns opening, refreshing and storing credentials. Refreshing is single-flight: a lease on the account lets one process
ask, and its fence makes a late answer write nothing. No call to a platform happens inside a transaction.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext

from posts import conf, credentials
from posts.models import Account
from posts.publishing import registry
from posts.publishing.errors import RateLimited, ReconnectNeeded, Temporary, Unreachable
from posts.publishing.http import Http
from posts.publishing.platform import Session
from posts.publishing.types import App, Connection, Json, MediaFile
from posts.services.errors import ServiceError
from posts.services.validation import shown
from posts.text.storable import strings_in
from posts.transactions import in_transaction
from queue_app import clock
from queue_app import conf as queue_conf
from queue_app.database import atomic
from queue_app.failpoints import failpoint

REFRESH_AHEAD = timedelta(minutes=5)
# Housekeeping renews a login between these shares of its life from the end, at least so long before it.
EARLIEST_SHARE, LATEST_SHARE = 0.3, 0.15
LEAST_AHEAD = timedelta(minutes=15)
CLIENT_REFUSED = "oauth.client_refused"
APP_REFUSED_WAIT = timedelta(hours=1)
STILL_USABLE = timedelta(seconds=30)
LEASE_MARGIN_SECONDS = 30  # beside the time that the call itself may take
BUSY_WAIT = timedelta(seconds=3)  # a refresh mostly takes one; its lease, which outlives a dead process, a minute


class RefreshBusy(ServiceError):
    """Another process is refreshing the account's login; look again at ``until``."""

    def __init__(self, account: Account, until: datetime) -> None:
        super().__init__(
            gettext("The login of %(shown)s is being renewed by another process; try again in a moment.")
            % {"shown": shown(account)}
        )
        self.until = until


def session_for(account: Account, *, media: Iterable[MediaFile] = ()) -> Session:
    """Return what a platform works with for ``account``; its HTTP refuses to work inside a transaction.

    ``media`` are the rendered pictures that ``commit`` may send. Raises ReconnectNeeded if the stored credentials
    cannot be opened with the site's keys.
    """
    opened: Json = {}
    if account.sealed_credentials:
        try:
            opened = credentials.unseal(account.uuid, account.sealed_credentials)
        except credentials.CannotOpen as error:
            raise ReconnectNeeded("credentials_unreadable", detail=str(error)) from None
    session = new_session(account.platform, opened, account.config, media=media)
    return replace(
        session,
        seal=lambda text: credentials.seal(account.uuid, {"sealed": text}),
        unseal=lambda sealed: _unsealed(account, sealed, session.http),
    )


def new_session(platform: str, opened: Json, config: Json, *, media: Iterable[MediaFile] = ()) -> Session:
    """Return a session with these credentials under the site's settings; every secret in them is kept out of errors."""
    app = app_of(platform)
    http = Http(
        allow_private=conf.get("ALLOW_PRIVATE_NETWORKS"),
        timeout_seconds=conf.get("HTTP_TIMEOUT_SECONDS"),
        refuse_when=in_transaction,
        secrets=[*strings_in(opened), app.client_secret, *_secret_settings(platform, app)],
    )
    files = {file.key: file for file in media}
    return Session(http=http, credentials=opened, config=config, now=clock.now, media=files, app=app)


def app_of(platform: str) -> App:
    """Return what the site's settings say about a platform: ids, secrets, addresses."""
    given = conf.of_platform(platform)
    own = {name: value for name, value in given.items() if name not in conf.APP_SETTINGS}
    return App(
        client_id=given.get("CLIENT_ID", ""),
        client_secret=given.get("CLIENT_SECRET", ""),
        api_base=given.get("API_BASE", ""),
        auth_base=given.get("AUTH_BASE", ""),
        settings={name.lower(): value for name, value in own.items()},
        site_url=queue_conf.get("SITE_URL").rstrip("/"),
    )


def _unsealed(account: Account, sealed: str, http: Http) -> str:
    """Open what a checkpoint has sealed. Raises Temporary, so that it is made anew, where the key is gone."""
    try:
        text = str(credentials.unseal(account.uuid, sealed)["sealed"])
    except (credentials.CannotOpen, KeyError):
        raise Temporary("checkpoint_unreadable", restart=True) from None
    http.hide(text)
    return text


def ensure_fresh(account: Account) -> Account:
    """Refresh the login of ``account``, in place, if it ends within five minutes; return the account.

    While it can still be used, another process's refresh or a fault of the server is no reason to wait. Raises
    RefreshBusy and every PublishError of ``refresh``.
    """
    ends_at = account.credentials_expire_at
    if ends_at is None or not registry.get(account.platform).refreshes:
        return account
    now = clock.now()
    if now < ends_at - REFRESH_AHEAD:
        return account
    try:
        return refresh_credentials(account, seen_version=account.credentials_version)
    except (RefreshBusy, Unreachable, Temporary):
        if now >= ends_at - STILL_USABLE:
            raise
        return account


def refresh_credentials(account: Account, *, seen_version: int) -> Account:
    """Refresh the login unless it is newer than ``seen_version`` already; brings ``account`` up to date, in place.

    Only one process asks the platform at a time; the others get RefreshBusy. Raises every PublishError of the
    platform's ``refresh``. Call it outside any transaction.
    """
    fence = _take_lease(account, seen_version)
    if fence is None:
        account.refresh_from_db()
        return account
    try:
        connection = _asked_to_refresh(account)
        if connection.identity.id != account.identity_id:
            raise ReconnectNeeded("identity_changed", identity=connection.identity.name)
        failpoint("during_refresh")
    except BaseException:
        _mine(account, fence).update(refresh_lease_until=None)
        raise
    _store_refreshed(account, connection, fence)
    account.refresh_from_db()
    return account


def _asked_to_refresh(account: Account) -> Connection:
    """Ask the platform. That it does not know the site's app is no fault of the account: the whole app waits, and those
    who run the site are told, instead of having every account reconnected for one wrong secret."""
    platform = registry.get(account.platform)
    try:
        return platform.refresh(session_for(account))
    except ReconnectNeeded as error:
        if error.code != CLIENT_REFUSED or not platform.needs_app:
            raise
        refused = {"detail": error.detail, "status_code": error.status_code}
    until = clock.now() + APP_REFUSED_WAIT
    raise RateLimited(CLIENT_REFUSED, until=until, scope="app", tell=True, **refused)


def store_credentials(account: Account, connection: Connection) -> None:
    """Put the credentials of ``connection`` on ``account`` (not saved) as a new version; ends any refresh under way."""
    account.sealed_credentials = credentials.seal(account.uuid, connection.credentials)
    account.key_fingerprint = credentials.fingerprint()
    account.credentials_version += 1
    account.credentials_expire_at = connection.expires_at
    account.renewable_until = connection.renewable_until or account.renewable_until
    account.scopes = list(connection.scopes) or account.scopes
    account.refresh_at = renewal_time(account.platform, connection.expires_at, account.renewable_until)
    account.refresh_fence += 1
    account.refresh_lease_until = None


def renewal_time(
    platform: str, expires_at: datetime | None, renewable_until: datetime | None = None
) -> datetime | None:
    """Return when a login is renewed ahead of its end: in the last part of its life, at a random moment of it.

    ``None`` where it does not end or cannot be renewed beyond its end (LinkedIn without a refresh token): asking ahead
    of time would only stop an account that still works.
    """
    known = registry.platforms().get(platform)
    if expires_at is None or known is None or not known.refreshes:
        return None
    if renewable_until is not None and renewable_until <= expires_at:
        return None
    now = clock.now()
    lifetime = max(expires_at - now, timedelta(0))
    earliest = expires_at - max(lifetime * EARLIEST_SHARE, LEAST_AHEAD)
    spread = (expires_at - max(lifetime * LATEST_SHARE, REFRESH_AHEAD)) - earliest
    return max(now, earliest + max(spread, timedelta(0)) * random.random())  # noqa: S311 - jitter, no secret


def plan_renewals() -> None:
    """Plan the renewal of every login that has none: those stored by a release that only renewed when one was used."""
    for account in Account.objects.filter(refresh_at=None, credentials_expire_at__isnull=False):
        at = renewal_time(account.platform, account.credentials_expire_at, account.renewable_until)
        if at is not None:
            Account.objects.filter(pk=account.pk, refresh_at=None).update(refresh_at=at)


def _take_lease(account: Account, seen_version: int) -> int | None:
    """Return the fence of a new lease, ``None`` if the credentials are newer than ``seen_version``."""
    with atomic():
        locked = Account.objects.select_for_update().get(pk=account.pk)
        if locked.credentials_version != seen_version:
            return None
        now = clock.now()
        if locked.refresh_lease_until is not None and locked.refresh_lease_until > now:
            raise RefreshBusy(account, min(now + BUSY_WAIT, locked.refresh_lease_until))
        lease = timedelta(seconds=conf.get("HTTP_TIMEOUT_SECONDS") + LEASE_MARGIN_SECONDS)
        locked.refresh_fence += 1
        locked.refresh_lease_until = now + lease
        locked.save(update_fields=["refresh_fence", "refresh_lease_until"])
    account.refresh_from_db()
    return locked.refresh_fence


def _store_refreshed(account: Account, connection: Connection, fence: int) -> None:
    """Write the refreshed credentials if the lease is still ours. What the answer left out stays as it was."""
    with atomic():
        locked = _mine(account, fence).select_for_update().first()
        if locked is None:
            return
        known = credentials.unseal(locked.uuid, locked.sealed_credentials)
        fresh = {name: value for name, value in connection.credentials.items() if value not in (None, "")}
        locked.config = {**locked.config, **connection.config}
        store_credentials(locked, replace(connection, credentials=known | fresh))
        locked.save()


def _mine(account: Account, fence: int) -> QuerySet[Account]:
    return Account.objects.filter(pk=account.pk, refresh_fence=fence)


def _secret_settings(platform: str, app: App) -> Iterator[str]:
    """Yield the platform's own settings that are secrets; a "true" or a version would blot out ordinary words."""
    known = registry.platforms().get(platform)
    for field in known.app_settings if known is not None else ():
        if field.secret and app.settings.get(field.name):
            yield app.settings[field.name]
