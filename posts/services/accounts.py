"""Connecting, reconnecting and disabling accounts; with ``account_deletion`` the only writer of what an account is.

Asks the platform first, outside any transaction, and writes afterwards. Refreshing logins is in ``sessions``, whose
functions for jobs are offered here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from posts import conf
from posts.models import Account
from posts.publishing import registry, words
from posts.publishing.errors import PublishError, RateLimited
from posts.publishing.platform import Platform
from posts.publishing.types import Connection, Identity
from posts.selectors.posts import may_see
from posts.services.errors import NotAllowed, Problem, Refused, ServiceError, ValidationFailed
from posts.services.held import held_by, pause_for_held
from posts.services.sessions import (
    RefreshBusy,
    ensure_fresh,
    new_session,
    refresh_credentials,
    session_for,
    store_credentials,
)
from posts.services.standing import login_works, sentence_of
from posts.services.validation import shown
from queue_app import blocks, clock, parking
from queue_app.database import atomic
from queue_app.models import BlockKind

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "ConnectFailed",
    "OtherIdentity",
    "RefreshBusy",
    "connect_account",
    "disable_account",
    "enable_account",
    "ensure_fresh",
    "reconnect_account",
    "reconnect_answers",
    "refresh_credentials",
    "session_for",
]

NAME_CHARACTERS = 200
JOINERS = "\u200c\u200d"
CONNECTED_WITH = "connected_with"  # in Account.config: the answers that are no secrets, to be offered again

# Nobody is waiting to try again where a person has only just entered something.
TRY_AGAIN = gettext_lazy("Nothing was saved; try again in a moment.")
STEPS_WHEN_CONNECTING = {
    words.RETRIES: TRY_AGAIN,
    words.LOOKS_OR_ASKS: TRY_AGAIN,
    words.CHECK_SERVER: gettext_lazy("Check the address of the server and try again; nothing was saved."),
    words.next_step("tls_failed"): gettext_lazy(
        "Have the certificate of that server mended and try again; nothing was saved."
    ),
}


class ConnectFailed(ServiceError):
    """The platform did not accept what was entered; ``code`` is the PublishError's."""

    def __init__(self, error: PublishError, platform: Platform) -> None:
        step = words.next_step(error.code)
        step = str(STEPS_WHEN_CONNECTING.get(step, step))
        if isinstance(error, RateLimited):
            step = _("Try again after %(until)s UTC.") % {"until": f"{error.until:%Y-%m-%d %H:%M:%S}"}
        super().__init__(f"{sentence_of(error, platform.label)} {step}")
        self.code = error.code


class OtherIdentity(Refused):
    """The login is another identity's than that of ``account``; ``found`` is the name of whose it is."""

    def __init__(self, account: Account, found: str, label: str) -> None:
        said = _(
            "These credentials belong to %(found)s, but this account is %(name)s; nothing was changed. Log in as "
            "%(name)s (at %(platform)s you may have to log out of %(found)s first), or connect %(found)s as an account "
            "of its own."
        )
        super().__init__(said % {"found": found, "name": account.name, "platform": label})
        self.account = account
        self.found = found


def connect_account(
    platform: str,
    answers: Mapping[str, str],
    *,
    owner: User | None = None,
    actor: User | None = None,
    hold: bool = False,
) -> Account:
    """Verify ``answers`` (the platform's ``connect_fields`` by name) at the network and save the account.

    An identity that is known already is reconnected: its posts stay, and those that waited for it go on; with ``hold``
    they wait for a person to say so. Raises Refused (unknown or disabled platform), ValidationFailed (answers missing),
    ConnectFailed (the network says no) and NotAllowed (``actor`` may not reconnect that account; ``None`` is the site
    itself).
    """
    connection = _connect(known_platform(platform), answers, {})
    return save_connection(platform, connection, answers, owner=owner, actor=actor, hold=hold)


def save_connection(
    platform: str,
    connection: Connection,
    answers: Mapping[str, str],
    *,
    owner: User | None = None,
    actor: User | None = None,
    hold: bool = False,
) -> Account:
    """Save what the network has confirmed: as a new account, or as the new login of one that is known.

    Raises NotAllowed (``actor`` may not reconnect that account) and Refused.
    """
    connection = presentable(known_platform(platform), connection)
    for _attempt in range(2):  # the second finds the account that another process made in between
        existing = Account.objects.filter(platform=platform, identity_id=connection.identity.id).first()
        if existing is not None:
            _require_hold(actor, existing)
            return _reconnected(existing, connection, answers, actor=actor, hold=hold)
        try:
            return _created(platform, connection, answers, owner)
        except IntegrityError:
            continue
    raise Refused(
        _("%(identity)s is being connected by somebody else right now; look again in a moment")
        % {"identity": connection.identity.name}
    )


def reconnect_account(
    account: Account, answers: Mapping[str, str], *, actor: User | None = None, hold: bool = False
) -> Account:
    """Give ``account`` new credentials; answers left out are those of the last time. Brings ``account`` up to date.

    Raises OtherIdentity if the credentials belong to another one, and what ``connect_account`` raises, which tells of
    ``hold``.
    """
    platform = known_platform(account.platform)
    merged = reconnect_answers(account) | {name: answer for name, answer in answers.items() if answer.strip()}
    connection = _connect(platform, merged, account.config)
    return save_reconnection(account, connection, merged, actor=actor, hold=hold)


def save_reconnection(
    account: Account,
    connection: Connection,
    answers: Mapping[str, str],
    *,
    actor: User | None = None,
    hold: bool = False,
) -> Account:
    """Give ``account`` the login that the network has confirmed; raises OtherIdentity if it is another's."""
    platform = known_platform(account.platform)
    connection = presentable(platform, connection)
    if connection.identity.id != account.identity_id:
        raise OtherIdentity(account, connection.identity.name, platform.label)
    return _reconnected(account, connection, answers, actor=actor, hold=hold)


def _require_hold(actor: User | None, account: Account) -> None:
    """Raise NotAllowed unless ``actor`` may give a known account a new login.

    A server that a person names in the form can claim any identity: whoever may only add accounts must not be able to
    turn somebody else's posts to a server of their own.
    """
    if actor is None or account.owner_id == actor.pk:
        return
    if not actor.has_perm("posts.change_account") or not may_see(actor, account.owner_id):
        raise NotAllowed(
            _("%(shown)s is connected already, and not as yours; ask an administrator to reconnect it")
            % {"shown": shown(account)}
        )


def reconnect_answers(account: Account) -> dict[str, str]:
    """Return what was entered last time and is no secret, by field; for a form that is filled in already."""
    kept: dict[str, str] = account.config.get(CONNECTED_WITH, {})
    return dict(kept)


def disable_account(account: Account, *, actor: str = "") -> None:
    """Stop publishing to ``account``: what is scheduled waits, nothing is lost. ``actor`` is named in the block."""
    with atomic():
        blocks.place(
            account.block_key,
            BlockKind.DISABLED,
            now=clock.now(),
            reason=_("%(shown)s is disabled") % {"shown": shown(account)},
            actor=actor,
        )
        Account.objects.filter(pk=account.pk).update(enabled=False)
    account.enabled = False


def enable_account(account: Account) -> int:
    """Publish to ``account`` again; return how many jobs waited for that."""
    waiting = parking.count(account.block_key)
    with atomic():
        blocks.remove(account.block_key, BlockKind.DISABLED)
        Account.objects.filter(pk=account.pk).update(enabled=True)
    account.enabled = True
    blocks.unpark_free(account.block_key)
    return waiting


def known_platform(name: str) -> Platform:
    """Return a platform that this site may use; raises Refused, which names those that it may."""
    enabled = [known for known in registry.platforms() if known in conf.get("ENABLED_PLATFORMS")]
    try:
        platform = registry.get(name)
    except registry.UnknownPlatform:
        raise Refused(
            _("Unknown platform “%(name)s”. This site has: %(enabled)s.")
            % {"name": name, "enabled": ", ".join(enabled)}
        ) from None
    if name not in enabled:
        raise Refused(
            _("%(platform)s is not enabled on this site. Add %(name)s to SOCIALQ_ENABLED_PLATFORMS.")
            % {"platform": platform.label, "name": name}
        )
    return platform


def complete_answers(platform: Platform, answers: Mapping[str, str], *, has_tokens: bool = False) -> dict[str, str]:
    """Return ``answers`` with the defaults of the platform's fields; raises ValidationFailed for what is missing.

    With ``has_tokens`` a secret is not missed: the tokens are it.
    """
    known = {field.name: field for field in platform.connect_fields}
    problems = [
        Problem(name, _("%(platform)s has no field “%(name)s”") % {"platform": platform.label, "name": name})
        for name in answers
        if name not in known
    ]
    complete = {name: answers.get(name, "").strip() or field.default for name, field in known.items()}
    problems += [
        Problem(name, _("%(platform)s needs: %(field)s") % {"platform": platform.label, "field": field.label})
        for name, field in known.items()
        if field.required and not complete[name] and not (field.secret and has_tokens)
    ]
    if problems:
        raise ValidationFailed(problems)
    return complete


def presentable(platform: Platform, connection: Connection) -> Connection:
    """Return ``connection`` with a name fit for people; raises Refused for an identity that cannot be kept."""
    identity = connection.identity
    if len(identity.id) > NAME_CHARACTERS:
        raise Refused(
            _("%(platform)s gave an identity of %(number)s characters, the most is %(name_characters)s.")
            % {"platform": platform.label, "number": len(identity.id), "name_characters": NAME_CHARACTERS}
        )
    return replace(connection, identity=Identity(identity.id, _readable(identity.name) or identity.id))


def _connect(platform: Platform, answers: Mapping[str, str], config: Mapping[str, Any]) -> Connection:
    """Ask the network about ``answers``, completed by the defaults of the fields."""
    complete = complete_answers(platform, answers)
    session = new_session(platform.name, {}, dict(config))
    session.http.hide(*(complete[field.name] for field in platform.connect_fields if field.secret))
    try:
        connection = platform.connect(session, complete)
    except PublishError as error:
        raise ConnectFailed(error, platform) from None
    identity = connection.identity
    return replace(connection, identity=Identity(identity.id, session.http.redact(identity.name)))


def _readable(name: str) -> str:
    """Return a name from outside as one line that no terminal, mail or page takes for more; joined emoji stay."""
    signs = (sign if sign.isprintable() or sign in JOINERS else " " for sign in name)
    return " ".join("".join(signs).split())[:NAME_CHARACTERS]


def _created(platform: str, connection: Connection, answers: Mapping[str, str], owner: User | None) -> Account:
    account = Account(
        platform=platform,
        name=connection.identity.name,
        identity_id=connection.identity.id,
        owner=owner,
        config={**connection.config, CONNECTED_WITH: _public_answers(platform, answers)},
    )
    store_credentials(account, connection)
    with atomic():
        account.save()
    return account


def _reconnected(
    account: Account, connection: Connection, answers: Mapping[str, str], *, actor: User | None, hold: bool
) -> Account:
    with atomic():
        if hold and account.enabled and held_by(account).waiting:
            pause_for_held(account, actor)
        blocks.remove(account.block_key, BlockKind.RECONNECT)
        locked = Account.objects.select_for_update().get(pk=account.pk)
        login_works(locked)
        locked.name = connection.identity.name
        locked.config = {
            **locked.config,
            **connection.config,
            CONNECTED_WITH: _public_answers(locked.platform, answers),
        }
        locked.reconnect_reason = ""
        store_credentials(locked, connection)
        locked.save()
    blocks.unpark_free(account.block_key)
    account.refresh_from_db()
    return account


def _public_answers(platform: str, answers: Mapping[str, str]) -> dict[str, str]:
    fields = {field.name for field in registry.get(platform).connect_fields if not field.secret}
    return {name: answer.strip() for name, answer in answers.items() if name in fields and answer.strip()}
