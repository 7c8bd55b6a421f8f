"""The built-in network's own side: what arrives, what is accepted, what is live.

An honest network: whatever a sender has in progress, an arrival is logged and an accepted post is live in a
transaction of the network's own, on a connection of its own. An account's row is also this network's page of settings:
here alone ``failures_left`` is counted down. Knows nothing of deliveries or jobs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections, router, transaction

from posts.models import Account
from posts.outbox.models import OutboxArrival, OutboxPost
from posts.publishing.errors import ReconnectNeeded
from posts.transactions import refuse_in_transaction

PLATFORM = "outbox"
WAIT_SECONDS = 60

# How a mailbox can be told to answer, in the words of the error table; "" is as it should.
FAILURES: Mapping[str, str] = {
    "": "Accept every post",
    "unreachable": "Not reachable: nothing arrives",
    "temporary": "Refuse for now: a passing fault",
    "rate_limited": "Refuse for now: too many posts",
    "token_expired": "Refuse: the login has run out",
    "reconnect_needed": "Refuse: the login was revoked",
    "content_rejected": "Refuse this content for good",
    "no_answer": "Accept the post, but do not answer",
    "lost": "Lose the post, and do not answer",
    "bug": "Fail with a defect after the post was sent",
    "bug_before_sending": "Fail with a defect before anything is sent",
}
NEVER_ARRIVES = ("unreachable", "bug", "bug_before_sending")
BEFORE_SENDING = ("bug_before_sending",)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a send: the live post (also of an earlier send with the same key), or the failure ordered."""

    post: OutboxPost | None
    failure: str = ""
    wait_seconds: int = WAIT_SECONDS


def receive(mailbox: str, sender_key: str, text: str, pictures: list[dict[str, Any]], at: datetime) -> Answer:
    """Take one send, log it, and accept it unless the mailbox was told to fail or has seen the key.

    Committed when this returns. Raises ReconnectNeeded if there is no such mailbox, and ``RuntimeError`` inside
    the caller's transaction.
    """
    with _own_transaction():
        account = _locked(mailbox)
        failure = _take_failure(account, tuple(name for name in FAILURES if name not in BEFORE_SENDING))
        answer = Answer(None, failure, int(account.config.get("wait_seconds", WAIT_SECONDS)))
        if failure in NEVER_ARRIVES:
            return answer
        if failure not in ("", "no_answer"):
            _log(mailbox, sender_key, at, accepted=False, answer=failure)
            return answer
        key = sender_key if keeps_keys(account.config) else None
        live = OutboxPost.objects.filter(mailbox=mailbox, key=key).first() if key is not None else None
        _log(mailbox, sender_key, at, accepted=live is None, answer="repeat" if live else failure or "accepted")
        if live is None:
            live = OutboxPost.objects.create(mailbox=mailbox, key=key, text=text, pictures=pictures, published_at=at)
        return Answer(live, failure)


def fails_before_sending(config: Mapping[str, Any]) -> bool:
    """Say whether the mailbox was told to fail before anything is sent; counts it as one of the failures ordered."""
    if config.get("failure") not in BEFORE_SENDING:
        return False
    with _own_transaction():
        return bool(_take_failure(_locked(config["mailbox"]), BEFORE_SENDING))


def look_up(mailbox: str, sender_key: str) -> OutboxPost | None:
    """Return the live post that was sent with the key, or ``None``. Only means something where keys are kept."""
    return OutboxPost.objects.filter(mailbox=mailbox, key=sender_key).first()


def keep_picture(content: bytes) -> str:
    """Store the network's own copy of a picture and return its name; the same picture is stored once."""
    digest = hashlib.sha256(content).hexdigest()
    name = f"outbox/{digest[:2]}/{digest}"
    return name if default_storage.exists(name) else default_storage.save(name, ContentFile(content))


def keeps_keys(config: Mapping[str, Any]) -> bool:
    """Say whether a mailbox with these settings honours the sender's key. It does unless told otherwise."""
    return bool(config.get("keeps_keys", True))


def _locked(mailbox: str) -> Account:
    account = Account.objects.select_for_update(no_key=True).filter(platform=PLATFORM, identity_id=mailbox).first()
    if account is None:
        raise ReconnectNeeded("outbox.no_mailbox")
    return account


def _take_failure(account: Account, which: tuple[str, ...]) -> str:
    """Return the failure ordered if it is one of ``which``, counting it down; "" if there is none (left)."""
    failure: str = account.config.get("failure", "")
    left: int | None = account.config.get("failures_left")
    if not failure or failure not in which or left == 0:
        return ""
    if left is not None:
        account.config["failures_left"] = left - 1
        account.save(update_fields=["config"])
    return failure


def _log(mailbox: str, sender_key: str, at: datetime, *, accepted: bool, answer: str) -> None:
    OutboxArrival.objects.create(mailbox=mailbox, sender_key=sender_key, accepted=accepted, answer=answer, at=at)


@contextmanager
def _own_transaction() -> Iterator[None]:
    """Let the ORM of this thread work on a new connection, in a transaction; then put the caller's back."""
    refuse_in_transaction("A post would be sent to the outbox")
    alias = router.db_for_write(OutboxPost)
    callers = connections[alias]
    connections[alias] = connections.create_connection(alias)
    try:
        with transaction.atomic(using=alias):
            yield
    finally:
        own = connections[alias]
        own.close()
        if own.connection is not None:  # Django keeps one to a database in memory, as a site's tests have it
            own.connection.close()
        connections[alias] = callers
