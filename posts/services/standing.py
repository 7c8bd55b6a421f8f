"""What publishing learns about an account: it must be reconnected, it has to wait, it has moved. And saying so.

Writes the account's standing and its blocks; asks no platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext

from posts.models import Account
from posts.publishing import registry, words
from posts.publishing.errors import PublishError, Scope
from posts.services.concerns import concern_of_account
from queue_app import alerts, blocks, clock
from queue_app.database import atomic, lock_control
from queue_app.models import BlockKind

RECONNECT_NOTICE = "reconnect"
OPERATOR_NOTICE = "platform"
LOGIN_ENDS_NOTICE = "login_ends"
# A platform's word on how long to wait is believed up to this.
LONGEST_COOL_DOWN = timedelta(hours=24)


def ask_reconnect(account: Account, code: str) -> bool:
    """Block the account's jobs until somebody reconnects it, and tell people once; ``code`` is the PublishError's.

    Returns ``False`` and does nothing if it was reconnected since ``account`` was read: then try again instead.
    """
    text = f"{words.sentence(code, {}, label_of(account))} {words.next_step(code)}"
    with atomic():
        lock_control(shared=False)
        locked = Account.objects.select_for_update().get(pk=account.pk)
        if locked.credentials_version != account.credentials_version:
            return False
        Account.objects.filter(pk=account.pk).update(reconnect_reason=code)
        blocks.place(account.block_key, BlockKind.RECONNECT, now=clock.now(), reason=text)
        alerts.tell(RECONNECT_NOTICE, str(locked), text, concern_of_account(locked), key=locked.block_key)
    account.reconnect_reason = code
    return True


def cool_down_key(account: Account, scope: Scope) -> str:
    """Return the key that a wait of this scope blocks: the account's, else its whole platform's."""
    return account.block_key if scope == "account" else _platform_key(account)


def slow_down(account: Account, until: datetime, scope: Scope) -> None:
    """Let nothing more out to ``account``, or to its whole platform, before ``until``: its limit is used up."""
    now = clock.now()
    reason = words.sentence("limit_used_up", {}, label_of(account))
    with atomic():
        blocks.place(
            cool_down_key(account, scope),
            BlockKind.RATE_LIMIT,
            now=now,
            reason=reason,
            until=min(until, now + LONGEST_COOL_DOWN),
            may_shorten=False,
        )


def tell_operator(error: PublishError, account: Account) -> None:
    """Tell those who run the site, once, that a platform stands still until they do something."""
    label = label_of(account)
    text = f"{sentence_of(error, label)} {words.next_step(error.code)}"
    alerts.tell(OPERATOR_NOTICE, label, text, key=_platform_key(account))


def tell_login_ends(account: Account, at: datetime | None) -> None:
    """Tell people, once, that the account's login ends soon and cannot be renewed without its owner."""
    if at is not None:
        name = gettext("%(account)s on %(label_of)s") % {"account": account.name, "label_of": label_of(account)}
        text = gettext("The login of %(name)s ends at %(at)s UTC. Reconnect the account before that.") % {
            "name": name,
            "at": f"{at:%Y-%m-%d %H:%M}",
        }
        alerts.tell(LOGIN_ENDS_NOTICE, str(account), text, concern_of_account(account), key=account.block_key)


def login_works(account: Account) -> None:
    """Close what people were told of the account's login: it is connected again, or about to be deleted."""
    for kind in (RECONNECT_NOTICE, LOGIN_ENDS_NOTICE):
        alerts.over(kind, str(account), key=account.block_key)


def platform_works(account: Account) -> None:
    """Close what those who run the site were told of the account's platform: it takes posts and logins again."""
    alerts.over(OPERATOR_NOTICE, label_of(account), key=_platform_key(account))


def move_account(account: Account, new_config: Mapping[str, Any], new_identity_id: str = "") -> Account:
    """Take over public values that changed at the platform, and with them the identity's id; in place.

    An id that another account has already is not taken over: both then publish to the same place.
    """
    with atomic():
        locked = Account.objects.select_for_update().get(pk=account.pk)
        locked.config = {**locked.config, **new_config}
        others = Account.objects.filter(platform=account.platform, identity_id=new_identity_id).exclude(pk=account.pk)
        if new_identity_id and not others.exists():
            locked.identity_id = new_identity_id
        locked.save(update_fields=["config", "identity_id", "updated_at"])
    account.refresh_from_db()
    return account


def public_error(error: PublishError, account: Account) -> str:
    """Return in words what ``error`` says about ``account``, on one line. Nothing secret is in it."""
    return sentence_of(error, label_of(account))


def label_of(account: Account) -> str:
    """Return the name of the account's platform for people."""
    known = registry.platforms()
    return known[account.platform].label if account.platform in known else account.platform


def sentence_of(error: PublishError, label: str) -> str:
    """Return what ``error`` says, with the platform's own words behind it."""
    said = words.sentence(error.code, error.params, label)
    return f"{said} ({' '.join(error.detail.split())})" if error.detail else said


def _platform_key(account: Account) -> str:
    return f"platform:{account.platform}"
