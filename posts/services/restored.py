"""What posts add to a backup of the site, and what is brought in order once one was restored.

A backup names the key of its logins, never holds it. What is restored may be older than the login at the network: that
shows when it is used, and the account is then to be reconnected like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

from posts import credentials
from posts.models import Account, PendingLogin


def facts() -> Mapping[str, Any]:
    """Return what a backup keeps of this site: the fingerprint of the newest key."""
    return {"key": credentials.fingerprint()}


def doubts(said: Mapping[str, Any]) -> Iterator[str]:
    """Yield what must be known of a backup with these facts before it is restored here."""
    key = str(said.get("key", ""))[:16]
    if key not in credentials.fingerprints():
        yield gettext(
            "The logins in the backup were sealed with the key %(key)s, which this site does not have: put it into "
            "SOCIALQ_ENCRYPTION_KEYS, or the accounts must be connected again"
        ) % {"key": key}


def bring_in_order() -> Iterator[str]:
    """Forget logins and renewals that were under way, in the caller's transaction; yield what cannot be opened."""
    PendingLogin.objects.all().delete()
    Account.objects.exclude(refresh_lease_until=None).update(refresh_lease_until=None)
    sealed = Account.objects.exclude(sealed_credentials="").exclude(key_fingerprint__in=credentials.fingerprints())
    names = [str(account) for account in sealed.order_by("pk")]
    if names:
        yield ngettext(
            "%(n)s login cannot be opened with the keys of this site: %(names)s",
            "%(n)s logins cannot be opened with the keys of this site: %(names)s",
            len(names),
        ) % {"n": f"{len(names):,}", "names": ", ".join(names[:10])}
