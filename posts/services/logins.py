"""Logging in at a network in the browser, and connecting with tokens that a person brings.

A login is begun by one person, for whom alone it can be finished, once, within a quarter of an hour; what it needs in
between is sealed in the database. The network is asked outside any transaction, and ``accounts`` writes afterwards.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError
from django.utils.translation import gettext

from posts import credentials
from posts.models import Account, AppRegistration, PendingLogin
from posts.publishing import oauth
from posts.publishing.errors import PublishError, ReconnectNeeded
from posts.publishing.platform import Platform, Session
from posts.publishing.types import Connection, Identity, Json
from posts.selectors.posts import SEE_ALL, may_see
from posts.services.accounts import (
    ConnectFailed,
    complete_answers,
    known_platform,
    reconnect_answers,
    save_connection,
    save_reconnection,
)
from posts.services.errors import Conflict, NotAllowed, Refused
from posts.services.sessions import new_session
from queue_app import clock
from queue_app.database import atomic

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import User

LOGIN_LIFETIME = timedelta(minutes=15)
STATE_BYTES, VERIFIER_BYTES = 32, 48


class LoginOver(Refused):
    """The login was begun by somebody else, was finished before, or took too long; nothing was connected."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that a login may connect: its place, its name, and whether it is connected already."""

    place: int
    name: str
    is_known: bool


def begin_login(
    platform_name: str,
    answers: Mapping[str, str],
    *,
    user: User,
    redirect_uri: str,
    account: Account | None = None,
    is_shared: bool = False,
) -> str:
    """Return the address at the network where ``user`` logs in; it sends them back to ``redirect_uri``.

    ``account`` is reconnected by it, else something new is connected. Raises Refused (no app, unknown platform),
    ValidationFailed and ConnectFailed.
    """
    platform = known_platform(platform_name)
    answers = complete_answers(platform, (reconnect_answers(account) if account else {}) | dict(answers))
    callback = oauth.Callback(redirect_uri, secrets.token_urlsafe(STATE_BYTES), secrets.token_urlsafe(VERIFIER_BYTES))
    key = json.dumps([redirect_uri, answers], sort_keys=True)[:500]
    known = _registration(platform_name, key)
    session = new_session(platform_name, {}, {})
    try:
        begun = platform.authorize(session, answers, callback, known)
    except PublishError as error:
        raise ConnectFailed(error, platform) from None
    if begun.registration_key and begun.registration != known:
        _keep_registration(platform_name, key, begun.registration)
    pending = PendingLogin(
        user=user, platform=platform_name, account=account, state_hash=_hash(callback.state), created_at=clock.now()
    )
    _seal(
        pending,
        {
            "redirect_uri": redirect_uri,
            "verifier": callback.verifier,
            "answers": answers,
            "registration": begun.registration,
            "is_shared": is_shared,
        },
    )
    pending.save()
    return begun.url


def finish_login(state: str, code: str, *, user: User, refusal: str = "") -> PendingLogin | Account:
    """Take what the network sent ``user`` back with: a ``code``, or a ``refusal`` where they did not agree.

    Returns the account where there was one thing to connect, else the pending login, of which ``choices`` may be
    connected. Raises LoginOver for a state that is not this person's or was used before, and what connecting raises.
    """
    pending = _take(state, user)
    _require_right(pending, user)
    platform = known_platform(pending.platform)
    if refusal or not code:
        pending.delete()
        raise ConnectFailed(ReconnectNeeded("oauth.denied", detail=refusal), platform)
    kept = _open(pending)
    callback = oauth.Callback(kept["redirect_uri"], state, kept["verifier"])
    session = new_session(pending.platform, {}, {})
    session.http.hide(code)
    try:
        tokens = platform.exchange(session, code, kept["answers"], callback, kept["registration"])
        found = _found(platform, session, tokens, kept["answers"])
    except PublishError as error:
        pending.delete()
        raise ConnectFailed(error, platform) from None
    if pending.account is not None:
        return _reconnected(pending, found, kept["answers"], user)
    if len(found) == 1:
        pending.delete()
        owner = _owner(kept, user)
        return save_connection(pending.platform, found[0], kept["answers"], owner=owner, actor=user, hold=True)
    _seal(pending, {**kept, "found": [_plain(connection) for connection in found]})
    pending.save(update_fields=["sealed"])
    return pending


def forget_old_logins() -> int:
    """Delete logins that nobody can finish any more, with what was sealed for them; return how many rows went."""
    # Long after their end, so that none goes away under somebody who came back in the last second.
    return PendingLogin.objects.filter(created_at__lt=clock.now() - 2 * LOGIN_LIFETIME).delete()[0]


def pending_login(uuid: UUID, *, user: User) -> PendingLogin:
    """Return a login that waits for ``user`` to choose; raises LoginOver."""
    pending = PendingLogin.objects.filter(uuid=uuid, user=user, returned=True).first()
    if pending is None or pending.created_at < clock.now() - LOGIN_LIFETIME:
        raise LoginOver(gettext("This login is over: it was used already or took too long. Connect again."))
    return pending


def choices(pending: PendingLogin) -> list[Choice]:
    """Return what can be connected with a login that has come back."""
    found = [_connection(plain) for plain in _open(pending).get("found", [])]
    ids = {connection.identity.id for connection in found}
    known = set(
        Account.objects.filter(platform=pending.platform, identity_id__in=ids).values_list("identity_id", flat=True)
    )
    return [
        Choice(place, connection.identity.name, connection.identity.id in known)
        for place, connection in enumerate(found)
    ]


def connect_choices(pending: PendingLogin, places: Sequence[int], *, user: User) -> list[Account]:
    """Connect what the person has chosen of a login, by places; the login is over with it."""
    kept = _open(pending)
    found = [_connection(plain) for plain in kept.get("found", [])]
    chosen = [found[place] for place in dict.fromkeys(places) if 0 <= place < len(found)]
    if not chosen:
        raise Refused(gettext("Choose at least one to connect"))
    if not PendingLogin.objects.filter(pk=pending.pk).delete()[0]:
        raise Conflict(gettext("This login was used already; look at the list of accounts"))
    owner = _owner(kept, user)
    return [
        save_connection(pending.platform, each, kept["answers"], owner=owner, actor=user, hold=True) for each in chosen
    ]


def connect_with_tokens(
    platform_name: str,
    tokens: Json,
    answers: Mapping[str, str],
    *,
    only: Sequence[str] = (),
    owner: User | None = None,
    actor: User | None = None,
) -> list[Account]:
    """Connect with ``tokens`` that a person brings: at least ``access_token``. ``only`` are identities to connect.

    Raises Refused (several found and none named), ValidationFailed and ConnectFailed.
    """
    platform = known_platform(platform_name)
    answers = complete_answers(platform, answers, has_tokens=True)
    session = new_session(platform_name, {}, {})
    session.http.hide(*(value for value in tokens.values() if isinstance(value, str)))
    try:
        found = _found(platform, session, tokens, answers)
    except PublishError as error:
        raise ConnectFailed(error, platform) from None
    chosen = [each for each in found if not only or {each.identity.id, each.identity.name} & set(only)]
    if not chosen or (len(chosen) > 1 and not only):
        offered = ", ".join(f"{each.identity.name} ({each.identity.id})" for each in found)
        raise Refused(
            gettext("The tokens can post to several: %(offered)s. Name one or more with --identity")
            % {"offered": offered}
        )
    return [save_connection(platform_name, each, answers, owner=owner, actor=actor) for each in chosen]


def _found(platform: Platform, session: Session, tokens: Json, answers: Mapping[str, str]) -> list[Connection]:
    """Ask the network what the tokens can connect; raises ReconnectNeeded where that is nothing."""
    session.http.hide(*(value for value in tokens.values() if isinstance(value, str)))
    found = [
        replace(each, identity=Identity(each.identity.id, session.http.redact(each.identity.name)))
        for each in platform.connections(session, tokens, answers)
    ]
    if not found:
        raise ReconnectNeeded("oauth.nothing_to_connect")
    return found


def _reconnected(pending: PendingLogin, found: Sequence[Connection], answers: Mapping[str, str], user: User) -> Account:
    """Give the account that the login was begun for its new credentials; another identity is refused by name."""
    account = pending.account
    pending.delete()
    if account is None:  # deleted meanwhile, and the login with it
        raise LoginOver(gettext("The account was deleted meanwhile; connect it as a new one."))
    same = next((each for each in found if each.identity.id == account.identity_id), found[0])
    return save_reconnection(account, same, answers, actor=user, hold=True)


def _take(state: str, user: User) -> PendingLogin:
    """Return the login of this state and mark it as used; whoever comes second gets nothing."""
    mine = PendingLogin.objects.filter(state_hash=_hash(state), user=user, returned=False)
    pending = mine.select_related("account").first()
    if pending is None or pending.created_at < clock.now() - LOGIN_LIFETIME or not mine.update(returned=True):
        raise LoginOver(
            gettext(
                "This login does not belong to you, was used already, or took longer than a quarter of an hour; "
                "nothing was connected. Connect again."
            )
        )
    pending.returned = True
    return pending


def _require_right(pending: PendingLogin, user: User) -> None:
    """Raise NotAllowed, and end the login, where the right to what it was begun for was taken away since."""
    account = pending.account
    right = "posts.add_account" if account is None else "posts.change_account"
    if not user.has_perm(right) or (account is not None and not may_see(user, account.owner_id)):
        pending.delete()
        raise NotAllowed(
            gettext("You may not connect that account any more, so nothing was connected; ask an administrator")
        )


def _owner(kept: Json, user: User) -> User | None:
    """Return whose the account becomes: nobody's where it is for all, and ``user`` may share with all still."""
    return None if kept["is_shared"] and user.has_perm(SEE_ALL) else user


def _registration(platform: str, key: str) -> Json:
    row = AppRegistration.objects.filter(platform=platform, key=key).first()
    if row is None:
        return {}
    try:
        return credentials.unseal(row.uuid, row.sealed)
    except credentials.CannotOpen:
        return {}  # its key is gone: the site registers anew


def _keep_registration(platform: str, key: str, registration: Json) -> None:
    row = AppRegistration.objects.filter(platform=platform, key=key).first()
    row = row or AppRegistration(platform=platform, key=key)
    row.sealed = credentials.seal(row.uuid, registration)
    try:
        with atomic():
            row.save()
    except IntegrityError:
        return  # another login registered at the same moment; either will do


def _seal(pending: PendingLogin, kept: Json) -> None:
    pending.sealed = credentials.seal(pending.uuid, kept)


def _open(pending: PendingLogin) -> Json:
    try:
        return credentials.unseal(pending.uuid, pending.sealed)
    except credentials.CannotOpen:
        raise LoginOver(
            gettext("This login cannot be finished: the site's keys were changed meanwhile. Connect again.")
        ) from None


def _plain(connection: Connection) -> Json:
    plain = asdict(connection)
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()}


def _connection(plain: Json) -> Connection:
    times = {
        name: datetime.fromisoformat(plain[name]) if plain[name] else None for name in ("expires_at", "renewable_until")
    }
    rest = {"identity": Identity(**plain["identity"]), "scopes": tuple(plain["scopes"]), **times}
    return Connection(**{**plain, **rest})


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
