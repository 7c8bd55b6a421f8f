"""The matrix of answers: every call of connecting, checking, preparing and committing, with every kind of answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from posts.publishing.errors import (
    ContentRejected,
    NotReady,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    ReconnectNeeded,
    Temporary,
    TokenExpired,
)
from posts.publishing.testing.base import Steps
from posts.publishing.testing.files import picture
from posts.publishing.testing.rules import rule
from posts.publishing.testing.server import Answer, Seen
from posts.publishing.types import Json, Published
from posts.publishing.words import WORDS

STATUSES = (400, 401, 403, 404, 409, 413, 418, 422, 429, 500, 503)
REFUSALS = ("", "<html>an error</html>", '{"error": {"code": []}, "errors": 5, "message": {}}')
SUCCESSES = (*REFUSALS, "{}", "[]", "5")
UNDOCUMENTED = 418  # no network gives it a meaning
MOST_TWISTS = 24  # of one answer; the first are those that matter
FINAL = (ContentRejected, ReconnectNeeded, TokenExpired)


@dataclass
class Outcome:
    """What came of one try: a value or an error of the kit, and how many posts became public meanwhile."""

    value: Any
    error: PublishError | None
    published: int

    def __str__(self) -> str:
        return repr(self.error or self.value)


def twists(body: Any) -> Iterator[Any]:
    """Yield an answer with each of its values in turn of another type, or missing."""
    for path in list(_paths(body, ()))[:MOST_TWISTS]:
        for value in (_other_type(_at(body, path)), _MISSING):
            changed = copy.deepcopy(body)
            holder = _at(changed, path[:-1])
            if value is not _MISSING:
                holder[path[-1]] = value
            elif isinstance(holder, dict):
                del holder[path[-1]]
            yield changed


_MISSING = object()


def _paths(value: Any, before: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        yield (*before, name)
    for name in names:
        yield from _paths(value[name], (*before, name))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def _other_type(value: Any) -> Any:
    return {"not": "a text"} if isinstance(value, str) else "a text"


class FaultChecks(Steps):
    """Whatever a server answers, only errors of the kit come out, and none that claims too much."""

    @rule("errors")
    @pytest.mark.parametrize("status", [200, *STATUSES])
    def test_every_call_of_connecting_with_every_answer(self, server: Any, status: int) -> None:
        self._answered(server, lambda: self.connect(server), status, self._before_publishing)

    @rule("errors")
    @pytest.mark.parametrize("status", [200, *STATUSES])
    def test_every_call_of_checking_with_every_answer(self, server: Any, status: int) -> None:
        session = self.session(server)
        self._answered(server, lambda: self.platform.check(session), status, self._before_publishing)

    @rule("errors")
    @pytest.mark.parametrize("status", [200, *STATUSES])
    def test_every_call_of_preparing_with_every_answer(self, server: Any, status: int) -> None:
        self._answered(server, self._preparing(server), status, self._before_publishing)

    @rule("unknown")
    @pytest.mark.parametrize("status", STATUSES)
    def test_every_refusal_of_a_commit(self, server: Any, status: int) -> None:
        """Nothing was stored; that it says so is believed only where the network documents it."""
        session = self.session(server)
        for number, body in enumerate(REFUSALS):
            snapshot = self._ready(session, self._numbered(number))
            server.fault(self.commit_path, status=status, body=body)
            outcome = self._outcome(server, partial(self.platform.commit, session, snapshot))
            server.faults.clear()
            assert outcome.error is not None, f"a {status} with {body!r} was taken for a success"
            if status >= 500 or (status == UNDOCUMENTED and not self.every_refusal_counts):
                assert isinstance(outcome.error, OutcomeUnknown), f"a {status} with {body!r} became {outcome}"

    @rule("errors")
    @pytest.mark.parametrize("step", ["connect", "check", "prepare"])
    def test_values_of_another_type_and_missing_ones(self, server: Any, step: str) -> None:
        session = self.session(server)
        run: Callable[[], Any] = {
            "connect": lambda: self.connect(server),
            "check": lambda: self.platform.check(session),
            "prepare": self._preparing(server),
        }[step]
        for call, body in self._twisted(server, run):
            outcome = self._outcome(server, run)
            self._before_publishing(outcome, 200, f"call {call} answered {body!r}")

    @rule("unknown")
    def test_values_of_another_type_in_the_answer_to_a_commit(self, server: Any) -> None:
        session, numbers = self.session(server), iter(range(1, 1000))

        def ready() -> Json:
            return self._ready(session, self._numbered(next(numbers)))

        for call, body in self._twisted(server, partial(self.platform.commit, session, ready())):
            rewrite, server.rewrite = server.rewrite, lambda seen, answer: answer
            snapshot = ready()
            server.rewrite = rewrite
            outcome = self._outcome(server, partial(self.platform.commit, session, snapshot))
            if outcome.published and outcome.error is not None:
                assert isinstance(outcome.error, OutcomeUnknown), (
                    f"the post is live; call {call} answered {body!r}, and that became {outcome}"
                )

    # Steps

    def _preparing(self, server: Any) -> Callable[[], Any]:
        media = self.usual_media() or ((picture(),) if self.platform.capabilities.max_images else ())
        session, numbers = self.session(server, *media), iter(range(1, 10_000))
        return lambda: self._ready(session, self._numbered(next(numbers), "", *media))

    def _answered(
        self, server: Any, run: Callable[[], Any], status: int, judge: Callable[[Outcome, int, str], None]
    ) -> None:
        """Run once undisturbed; then, call by call, with each answer in place of the server's own."""
        before = len(server.seen)
        run()
        for call in range(len(server.seen) - before):
            for body in SUCCESSES if status == 200 else REFUSALS:
                # An answer that says "done" is given once it is.
                server.fault("", status=status, body=body, skip=call, after=status == 200)
                outcome = self._outcome(server, run)
                server.faults.clear()
                judge(outcome, status, f"call {call + 1} answered {status} with {body!r}")

    def _twisted(self, server: Any, run: Callable[[], Any]) -> Iterator[tuple[int, Any]]:
        """Run once undisturbed; then yield, with the server set to give it, each twist of each answer."""
        own = server.rewrite
        answers: list[Answer] = []

        def record(seen: Seen, answer: Answer) -> Answer:
            answers.append(answer)
            return answer

        server.rewrite = record
        run()
        for number, answer in enumerate(answers):
            for body in twists(answer.body):
                server.rewrite = _instead(number, body)
                yield number + 1, body
        server.rewrite = own

    def _outcome(self, server: Any, run: Callable[[], Any]) -> Outcome:
        before = len(server.accepted)
        try:
            value, error = run(), None
        except PublishError as raised:
            value, error = None, raised
            assert error.code in WORDS, f"{error.code} has no words"
        outcome = Outcome(value, error, len(server.accepted) - before)
        if isinstance(value, Published):
            assert isinstance(value.id, str)
            assert isinstance(value.url, str)
        return outcome

    def _before_publishing(self, outcome: Outcome, status: int, what: str) -> None:
        assert not outcome.published, f"{what}, and a post became public"
        error = outcome.error
        assert not isinstance(error, OutcomeUnknown), f"{what}: nothing can be unknown before a commit"
        if status >= 500:
            assert not isinstance(error, FINAL), f"{what}, a fault that passes, and that became {outcome}"
        if status == 429 and error is not None:
            assert isinstance(error, RateLimited | Temporary | NotReady), f"{what}, and that became {outcome}"


def _instead(number: int, body: Any) -> Callable[[Seen, Answer], Answer]:
    left = iter(range(number, -1, -1))

    def rewrite(seen: Seen, answer: Answer) -> Answer:
        return answer if next(left, -1) else replace(answer, body=body)

    return rewrite
