"""What a network has said by itself about accounts and posts: access that was taken away, news of a post.

Each notification takes effect once, with its record in one transaction. Nothing here talks to a platform: a post that
there is news of is looked at by its own job, at once instead of at its next turn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta

from django.db.models import F, Q

from posts import credentials
from posts.models import Account, Delivery, PlatformEvent
from posts.services.errors import Conflict
from posts.services.queueing import one_transaction
from posts.services.standing import ask_reconnect
from posts.text.storable import strings_in
from queue_app import api, clock
from queue_app.database import atomic, delete_in_turns, lock_control
from queue_app.states import JobState

logger = logging.getLogger(__name__)

ACCESS_REMOVED = "access_removed"
DELETION = "data_deletion"
# Far longer than any network repeats itself, and than its signatures are believed.
EVENTS_KEPT = timedelta(days=90)
BATCH = 500


def hear(platform: str, key: str, kind: str, act: Callable[[], object]) -> bool:
    """Do ``act`` for a notification, once: false, and nothing done, if ``key`` was heard of ``platform`` before."""
    with atomic():
        _event, new = PlatformEvent.objects.get_or_create(platform=platform, key=key, defaults={"kind": kind[:80]})
        if new:
            act()
    logger.info("notification", extra={"platform": platform, "kind": kind[:80], "new": new})
    return new


def end_access(platform: str, ids: Collection[str], *, happened_at: datetime) -> int:
    """Ask to reconnect the accounts that any of ``ids`` speaks of; return how many.

    An account that was connected or renewed since ``happened_at`` (aware UTC) has its access still.
    """
    accounts = [account for account in _spoken_of(platform, ids) if account.updated_at <= happened_at]
    for account in accounts:
        _ask(account)
    return len(accounts)


def forget_logins(platform: str, ids: Collection[str]) -> int:
    """Delete the stored logins of the accounts that any of ``ids`` speaks of, whenever they were connected."""
    accounts = list(_spoken_of(platform, ids))
    with atomic():
        lock_control(shared=False)  # as a mark does, before the accounts
        for account in accounts:
            _forget_login(account)
            _ask(account)
    return len(accounts)


def look_now(platform: str, identity_id: str, post_ids: Collection[str]) -> int:
    """Have the posts of an account that go by one of ``post_ids`` looked at now; return how many.

    Only what the network has taken already: a post that still waits for its time is not sent earlier.
    """
    rows = Delivery.objects.filter(account__platform=platform, account__identity_id=identity_id)
    taken = Q(job__state=JobState.PENDING) & ~Q(live=[])
    found = rows.filter(taken | Q(job__state=JobState.UNCERTAIN)).select_related("job")
    ids, count = {each for each in post_ids if each}, 0
    for delivery in found:
        if delivery.job is None or not ids & set(strings_in([delivery.live, delivery.snapshot])):
            continue
        try:
            with one_transaction():
                if delivery.job.state == JobState.UNCERTAIN:
                    api.check_again(delivery.job.pk)
                else:
                    api.reschedule(delivery.job.pk, clock.now(), actor=platform)
        except Conflict:
            continue  # it is being looked at already
        count += 1
    return count


def forget_old_events(now: datetime) -> int:
    """Delete notifications that no network sends again, in batches; return how many.

    Requests to delete a person's data stay: the network shows that person an address that says when it was heard.
    """
    old = PlatformEvent.objects.filter(received_at__lt=now - EVENTS_KEPT).exclude(kind=DELETION)
    return delete_in_turns(old, BATCH)


def event_heard_at(kind: str, key: str) -> datetime | None:
    """Return when a notification of ``kind`` was heard, ``None`` if it never was."""
    event = PlatformEvent.objects.filter(kind=kind, key=key).first()
    return event.received_at if event is not None else None


def _spoken_of(platform: str, ids: Collection[str]) -> Iterator[Account]:
    """Yield the accounts whose identity is one of ``ids``, or something in their config: the login's person, a Page."""
    wanted = {each for each in ids if each}
    for account in Account.objects.filter(platform=platform).order_by("pk"):
        if wanted & {account.identity_id, *strings_in(account.config)}:
            yield account


def _ask(account: Account) -> None:
    if not account.reconnect_reason:
        ask_reconnect(account, ACCESS_REMOVED)


def _forget_login(account: Account) -> None:
    """Overwrite what the stored login says. Its names stay: what still looks at a post finds no login, not no field."""
    try:
        names = credentials.unseal(account.uuid, account.sealed_credentials) if account.sealed_credentials else {}
    except credentials.CannotOpen:
        names = {}
    sealed = credentials.seal(account.uuid, dict.fromkeys(names, ""))
    # The fence ends a refresh under way, which would bring them back.
    fence = F("refresh_fence") + 1
    Account.objects.filter(pk=account.pk).update(sealed_credentials=sealed, refresh_fence=fence)
