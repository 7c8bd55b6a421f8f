"""The event log over HTTP: as server-sent events that go on, or as one page for who would rather ask again.

https://html.spec.whatwg.org/multipage/server-sent-events.html

Owns the form, the end of a stream and who is still welcome. Whose events are whose is the business of the caller.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib.auth import SESSION_KEY, get_user, get_user_model
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as DatabaseError
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _

from queue_app import clock, conf, events, keys, listeners
from queue_app.models import ApiKey, Event
from queue_app.rest.auth import Request
from queue_app.rest.problems import FieldError, Problem
from queue_app.stream import LARGEST_ID, Stream, in_own_thread

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.base import SessionBase

logger = logging.getLogger("socialq.api")

STREAM = "text/event-stream"
RETRY_MILLISECONDS = 3000
# What a person may see is asked anew this often while events go out.
LOOK_AGAIN_SECONDS = 1.0
# How soon a quiet stream ends when its process is told to stop.
END_SECONDS = 1.0
# A page looks through the log for at most so long.
PAGE_SECONDS = 2.0
BUSY_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: events after the id ``after`` (``None``: from now on), called by ``names`` (``None``: all), of
    one job, and of those only what ``is_meant``; ``may_follow`` says what a person may learn."""

    after: int | None
    names: tuple[str, ...] | None
    job_id: int | None
    may_follow: Callable[[User, Event], bool]
    is_meant: Callable[[Event], bool] = lambda _event: True

    def stream(self) -> Stream:
        """Return the place in the log. Raises Problem (400)."""
        try:
            return Stream(self.after, self.names, self.job_id)
        except ValueError as error:
            raise refused("names", str(error)) from None

    def allows(self, person: User, event: Event) -> bool:
        """Say whether ``event`` is meant, and ``person`` may learn of it."""
        return self.is_meant(event) and self.may_follow(person, event)


def wants_stream(request: Request, form: str) -> bool:
    """Say whether a stream is asked for: unless JSON is, by ``?format=json`` or by the header Accept alone."""
    accepted = request.headers.get("Accept", "*/*")
    return form == "stream" or (form == "" and (STREAM in accepted or "application/json" not in accepted))


def place_asked_for(request: Request, after: int | None) -> int | None:
    """Return the id after which to go on: what the client saw last, in its header, comes before the address's."""
    last = request.headers.get("Last-Event-ID", "").strip()
    if not last:
        return after
    if not (last.isascii() and last.isdigit() and len(last) < len(str(LARGEST_ID))):
        raise refused("Last-Event-ID", _("This is the number of no event."))
    return int(last)


def page_of(request: Request, question: Question, limit: int) -> dict[str, Any]:
    """Return at most ``limit`` events, and the id after which the next page begins, be there more yet or not."""
    stream, found, until = question.stream(), [], time.monotonic() + PAGE_SECONDS
    while time.monotonic() < until and (batch := stream.read()):
        for event in batch:
            if stream.is_wanted(event) and question.allows(request.person, event):
                found.append(events.mapping(event))
                if len(found) == limit:
                    return {"events": found, "after": event.pk}
    return {"events": found, "after": stream.position}


def listen(request: Request, question: Question) -> StreamingHttpResponse:
    """Return the answer that goes on: until the client leaves, is no longer welcome, or its time is over.

    Raises Problem: 400, and 503 where as many listen to this process as may.
    """
    stream = question.stream()
    try:
        place = listeners.take()
    except listeners.Full:
        said = _("As many programs listen as may (SOCIALQ_MAX_LISTENERS). Try again, or ask with ?format=json.")
        headers = {"Retry-After": str(BUSY_SECONDS)}
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, said, headers=headers) from None
    sent = partial(_sent, question=question, listener=_Listener(request))
    body: Any
    if isinstance(request, ASGIRequest):
        body = _AsyncBody(question.stream, sent, place)  # a place in the log belongs to the thread that follows it
    else:
        body = _Body(sent(stream), place)
    response = StreamingHttpResponse(body, content_type=f"{STREAM}; charset=utf-8")
    response["X-Accel-Buffering"] = "no"  # nginx would gather it
    return response


class _Body:
    """What is sent, for a server that asks for it step by step."""

    def __init__(self, steps: Generator[str], place: listeners.Place) -> None:
        self._steps, self._place = steps, place

    def __iter__(self) -> Iterator[str]:
        return self._steps

    def close(self) -> None:
        """End it: Django calls this when the answer is over, however it ended."""
        self._steps.close()
        self._place.leave()


class _AsyncBody:
    """What is sent, for an ASGI server; a thread of its own waits for it."""

    def __init__(
        self, make: Callable[[], Stream], sent: Callable[[Stream], Generator[str]], place: listeners.Place
    ) -> None:
        self._make, self._sent, self._place = make, sent, place

    async def __aiter__(self) -> AsyncIterator[str]:
        async with aclosing(in_own_thread(self._make, self._sent)) as steps:
            async for step in steps:
                yield step

    def close(self) -> None:
        """Give the place back; the thread ends with the iterator."""
        self._place.leave()


class _Listener:
    """Who listens, and whether they still may: the key, the session or the person may have been stopped meanwhile."""

    def __init__(self, request: Request) -> None:
        self._person: User | None = request.person
        self._key = request.key
        session: SessionBase | None = getattr(request, "session", None)
        signed_in = request.key is None and session is not None and SESSION_KEY in session
        self._session = session if signed_in else None
        self._looked_at = time.monotonic()

    def person(self) -> User | None:
        """Return the person with what they may do now, ``None`` where they are no longer welcome."""
        if time.monotonic() - self._looked_at >= LOOK_AGAIN_SECONDS and self._person is not None:
            self._person = self._now(self._person)
            self._looked_at = time.monotonic()
        return self._person

    def _now(self, person: User) -> User | None:
        if self._session is not None:
            return _of_session(self._session)
        if self._key is None:  # a host's own way to sign in
            return get_user_model().objects.filter(pk=person.pk, is_active=True).first()
        key = ApiKey.objects.select_related("user").filter(pk=self._key.pk).first()
        alive = key is not None and keys.state_of(key, clock.now()) == "alive" and key.user.is_active
        return key.user if key is not None and alive else None


def _of_session(session: SessionBase) -> User | None:
    """Return whose session it is as it is stored now: it ends by logging out, and with another password."""
    asked = HttpRequest()
    asked.session = type(session)(session.session_key)
    person = get_user(asked)
    return person if person.is_authenticated else None


def _sent(stream: Stream, *, question: Question, listener: _Listener) -> Generator[str]:
    """Yield the stream's text. What the database refuses ends it: the client comes back and goes on."""
    beat = float(conf.get("LISTENER_HEARTBEAT_SECONDS"))
    ends_at = time.monotonic() + float(conf.get("LISTENER_SECONDS"))
    try:
        yield f"retry: {RETRY_MILLISECONDS}\nid: {stream.position}\n\n"
        written_at, last = time.monotonic(), stream.position
        with closing(stream.steps(min(beat, END_SECONDS))) as steps:
            for event in steps:
                now = time.monotonic()
                if listeners.are_ending() or now >= ends_at:
                    return
                is_quiet = now - written_at >= beat
                if event is None and not is_quiet:
                    continue
                person = listener.person()
                if person is None:
                    return
                last = stream.position if event is None else event.pk
                if event is not None and question.allows(person, event):
                    yield _text(event)
                    written_at = now
                elif is_quiet:
                    # An id without data: the client goes on from here, also where nothing was for it.
                    yield f": here\nid: {last}\n\n"
                    written_at = now
    except DatabaseError as error:
        logger.warning("listener ended, database away error=%s", type(error).__name__)


def _text(event: Event) -> str:
    told = json.dumps(events.mapping(event), ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.pk}\nevent: {event.name}\ndata: {told}\n\n"


def refused(name: str, message: str) -> Problem:
    """Return the problem of a wrong question."""
    return Problem(HTTPStatus.BAD_REQUEST, message, errors=[FieldError(name, message)])
