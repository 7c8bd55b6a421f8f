"""A request that is sent twice is done once: what was done and its answer, kept under the caller's Idempotency-Key,
are one transaction.

A crash before its end leaves neither, so the repeat does the work; after it the repeat gets the kept answer. Refusals
are not kept: the same key may try again. The only writer of its table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from queue_app import clock
from queue_app.database import alias, atomic, connection, delete_in_turns, is_postgresql
from queue_app.failpoints import failpoint
from queue_app.models import IdempotentAnswer
from queue_app.rest.auth import Request
from queue_app.rest.problems import Problem

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
KEPT = timedelta(hours=24)
FORM = re.compile(r"[\x21-\x7e]{1,200}")
TOLD = ("Content-Type", "ETag", "Location")
BATCH = 500
Made = TypeVar("Made")


def once(request: Request, run: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Return what ``run`` answers, or what it answered before where the request has a key that was used for it.

    Raises Problem: 400 (no key), 409 (the same request is under way) and 422 (the key was used for another one).
    Without a key ``run`` is called outside of a transaction.
    """
    key = _key_of(request)
    if key is None:
        return run()
    with atomic():
        return _in_transaction(request, key, _fingerprint(request, request.body), run)


def once_prepared(
    request: Request,
    said: Callable[[], bytes],
    prepare: Callable[[], Made],
    finish: Callable[[Made], HttpResponseBase],
    drop: Callable[[Made], None],
) -> HttpResponseBase:
    """Do as ``once`` what takes a while: ``prepare`` outside of the transaction, and only ``finish`` in it.

    ``said`` returns what tells the request apart from others. Of two at once one may have prepared in vain: ``drop``
    undoes that.
    """
    key = _key_of(request)
    fingerprint = "" if key is None else _fingerprint(request, said())
    known = None if key is None else _known(request, key, fingerprint, clock.now())
    if known is not None:
        return known
    made = prepare()
    try:
        if key is None:
            return finish(made)
        with atomic():
            response = _in_transaction(request, key, fingerprint, lambda: finish(made))
    except BaseException:
        drop(made)
        raise
    if REPLAYED in response:
        drop(made)
    return response


def forget_answers(now: datetime) -> int:
    """Delete the answers whose time is over, in batches; return how many."""
    return delete_in_turns(IdempotentAnswer.objects.filter(created_at__lte=now - KEPT), BATCH)


def _key_of(request: Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is not None and not FORM.fullmatch(key):
        raise Problem(HTTPStatus.BAD_REQUEST, _("An Idempotency-Key is 1 to 200 visible ASCII characters."))
    return key


def _known(request: Request, key: str, fingerprint: str, now: datetime) -> HttpResponse | None:
    """Return what was answered before to the request with ``key``, if it was this one. Raises Problem (422)."""
    kept = IdempotentAnswer.objects.filter(user=request.person, key=key, created_at__gt=now - KEPT).first()
    if kept is None:
        return None
    if kept.fingerprint != fingerprint:
        detail = _("This Idempotency-Key was used for another request; use a new one for each.")
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return HttpResponse(kept.body, status=kept.status, headers={**kept.headers, REPLAYED: "true"})


def _in_transaction(
    request: Request, key: str, fingerprint: str, run: Callable[[], HttpResponseBase]
) -> HttpResponseBase:
    if not _lock(request.person.pk, key):
        raise _under_way()
    now = clock.now()
    known = _known(request, key, fingerprint, now)
    if known is not None:
        return known
    IdempotentAnswer.objects.filter(user=request.person, key=key).delete()
    response = run()
    if response.status_code >= HTTPStatus.BAD_REQUEST or not isinstance(response, HttpResponse):
        transaction.set_rollback(True, using=alias())
        return response
    failpoint("before_answer_kept")
    answer = IdempotentAnswer(user=request.person, key=key, fingerprint=fingerprint, created_at=now)
    answer.status, answer.body = response.status_code, response.content.decode()
    answer.headers = {name: response[name] for name in TOLD if name in response}
    try:
        answer.save(force_insert=True)
    except IntegrityError:
        # Whoever was faster did not take our lock. All that was done here is undone.
        raise _under_way() from None
    return response


def _lock(person_id: int, key: str) -> bool:
    """Take the key until the transaction ends; false if a request has it. On SQLite whoever writes is alone anyway,
    and the repeat has waited for that."""
    if not is_postgresql():
        return True
    digest = hashlib.sha256(f"{person_id}:{key}".encode()).digest()
    with connection().cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])
        (taken,) = cursor.fetchone()
    return bool(taken)


def _fingerprint(request: Request, said: bytes) -> str:
    return hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode() + said).hexdigest()


def _under_way() -> Problem:
    detail = _("A request with this Idempotency-Key is still under way; ask again in a moment.")
    return Problem(HTTPStatus.CONFLICT, detail, headers={"Retry-After": "1"})
