"""What posts add to a backup of the site, and what is brought in order once one was restored.

A backup names the key of its logins, never holds it. What is restored may be older than the login at the network: that
shows when it is used, and the account is then to be reconnected like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

from posts import credentials
from posts.models import Account, PendingLogin, WebhookEndpoint
from posts.services.forwarding import SEND
from queue_app.models import Job
from queue_app.states import UNFINISHED


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
    """Forget logins and renewals that were under way, in the caller's transaction; yield what cannot be opened.

    Webhooks are sent again what was still to be sent to them, and what came after it: the jobs of that do not go on.
    """
    PendingLogin.objects.all().delete()
    _set_webhooks_back()
    Account.objects.exclude(refresh_lease_until=None).update(refresh_lease_until=None)
    sealed = Account.objects.exclude(sealed_credentials="").exclude(key_fingerprint__in=credentials.fingerprints())
    names = [str(account) for account in sealed.order_by("pk")]
    if names:
        yield ngettext(
            "%(n)s login cannot be opened with the keys of this site: %(names)s",
            "%(n)s logins cannot be opened with the keys of this site: %(names)s",
            len(names),
        ) % {"n": f"{len(names):,}", "names": ", ".join(names[:10])}


def _set_webhooks_back() -> None:
    """Set each webhook back to before the first event that it had not taken. It knows by their ids what it has."""
    first: dict[int, int] = {}
    for args in Job.objects.filter(type=SEND, state__in=UNFINISHED).values_list("args", flat=True).iterator():
        endpoint_id, event_id = args["endpoint_id"], args["event_id"]
        first[endpoint_id] = min(first.get(endpoint_id, event_id), event_id)
    for endpoint_id, event_id in first.items():
        WebhookEndpoint.objects.filter(pk=endpoint_id, position__gte=event_id).update(position=event_id - 1)
