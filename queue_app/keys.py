"""Keys of programs: made, found by the header that brings one, revoked. The only writer of their table.

A key is shown to its maker once. Kept are its beginning, to find it, and a SHA-256 of the whole: it is long and random,
so nobody can guess it from that.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from queue_app import clock
from queue_app.models import ApiKey

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

READ, WRITE, PUBLISH, ADMIN = "read", "write", "publish", "admin"
SCOPES: Mapping[str, str | Promise] = {
    READ: gettext_lazy("Read posts, deliveries and jobs"),
    WRITE: gettext_lazy("Write and edit posts, upload files"),
    PUBLISH: gettext_lazy("Schedule, publish, retry, cancel and delete posts"),
    ADMIN: gettext_lazy("See the queue with its errors, act on jobs"),
}
MANAGE_ALL = "queue_app.manage_all_api_keys"
PREFIX_BYTES, SECRET_BYTES = 6, 32
FORM = re.compile(r"sq_(?P<prefix>[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
# A use is written down at most so often: a program that asks every second must not write every second.
NOTED_EVERY = timedelta(minutes=1)
BEARER = "bearer"
_NO_HASH = "0" * 64


def new_prefix() -> str:
    """Return a beginning for a key that is to be made: with it, a form that is sent twice makes one key."""
    return secrets.token_hex(PREFIX_BYTES)


def create_key(
    user: User, *, name: str, scopes: Collection[str], expires_at: datetime | None = None, prefix: str = ""
) -> tuple[ApiKey, str]:
    """Make a key for ``user``; return its row and the key itself, which nobody can read again.

    Raises ValueError for a name, a scope or an end that cannot be, IntegrityError for a ``prefix`` that is taken.
    """
    name, now = " ".join(name.split()), clock.now()
    if not name or len(name) > 100:
        raise ValueError(_("A key needs a name of at most 100 characters, by which you will know it again."))
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        known = ", ".join(SCOPES)
        said = _("There is no scope “%(scope)s”; a key may have: %(known)s.")
        raise ValueError(said % {"scope": unknown[0] if unknown else "", "known": known})
    if expires_at is not None and expires_at <= now:
        raise ValueError(_("A key must end in the future, or never."))
    prefix = prefix or new_prefix()
    secret = f"sq_{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    key = ApiKey.objects.create(
        user=user,
        name=name,
        prefix=prefix,
        secret_hash=_hash(secret),
        scopes=[scope for scope in SCOPES if scope in scopes],
        created_at=now,
        expires_at=expires_at,
    )
    return key, secret


def revoke_key(key: ApiKey) -> bool:
    """End ``key`` for good, in place; return ``False`` if it was revoked before."""
    now = clock.now()
    if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
        return False
    key.revoked_at = now
    return True


def find_key(authorization: str) -> ApiKey | None:
    """Return the key that a request's ``Authorization`` header brings, with its user; ``None`` for none that works.

    A key that is revoked or over, or whose user may not sign in any more, does not work. Its use is written down.
    """
    key = _brought(authorization)
    now = clock.now()
    if key is None or state_of(key, now) != "alive" or not key.user.is_active:
        return None
    if key.last_used_at is None or key.last_used_at <= now - NOTED_EVERY:
        before = Q(last_used_at=None) | Q(last_used_at__lt=now)
        ApiKey.objects.filter(before, pk=key.pk).update(last_used_at=now)
        key.last_used_at = now
    return key


def is_guess(authorization: str) -> bool:
    """Say whether the header tries a key that never was: an old one is no guess, nor is another way to log in."""
    return authorization.partition(" ")[0].lower() == BEARER and _brought(authorization) is None


def state_of(key: ApiKey, now: datetime) -> str:
    """Return ``alive``, ``expired`` or ``revoked``."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "alive"


def visible_keys(person: User | AnonymousUser) -> QuerySet[ApiKey]:
    """Return the keys that ``person`` may see and revoke: their own, or all with the permission."""
    return ApiKey.objects.all() if person.has_perm(MANAGE_ALL) else ApiKey.objects.filter(user=person.pk or 0)


def _brought(authorization: str) -> ApiKey | None:
    """Return the key of the header, whether it works or not."""
    scheme, _space, given = authorization.partition(" ")
    secret = given.strip()
    form = FORM.fullmatch(secret) if scheme.lower() == BEARER else None
    if form is None:
        return None
    key = ApiKey.objects.select_related("user").filter(prefix=form["prefix"]).first()
    is_same = hmac.compare_digest(_hash(secret), key.secret_hash if key is not None else _NO_HASH)
    return key if is_same else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
