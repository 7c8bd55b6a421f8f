"""What a job type may be registered with, and the errors that say what is wrong."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import queue_app
from queue_app import api, conf, registry
from queue_app.context import JobContext
from queue_app.outcomes import Done
from queue_app.registry import JobType
from queue_app.retry import RetryPolicy
from tests.queue_app.jobs import Register, Run, reloaded
from tests.site import ROOT


def handler(context: JobContext) -> None: ...


def registered(register: Register, **options: Any) -> JobType:
    return registry.get(register(handler, **options))


def test_every_option_is_kept(register: Register) -> None:
    policy = RetryPolicy.by_steps(1.0)
    options: dict[str, Any] = {
        "queue": "slow",
        "timeout_seconds": 5,
        "unique": True,
        "limits": {"account:*": "25/15m 100/d"},
        "breaker": "platform:*",
        "expires_seconds": 60,
        "result_ttl_seconds": 0.5,
        "on_transition": lambda job, event: None,
        "reconcile": lambda context, job: None,
        "describe": lambda job: "it",
        "reasons": {"why": "because"},
        "every_seconds": 9,
        "internal": True,
    }
    kind = registered(register, priority="high", retry=policy, **options)
    assert {name: getattr(kind, name) for name in options} == options
    assert (kind.priority, kind.retry, kind.timeout, kind.max_attempts) == (2, policy, 5, 2)


def test_the_package_has_the_decorator_without_loading_models_itself() -> None:
    assert queue_app.job_type is registry.job_type
    with pytest.raises(AttributeError, match="module 'queue_app' has no attribute 'job_tpye'"):
        queue_app.job_tpye  # type: ignore[attr-defined]  # noqa: B018 -- what is refused
    code = "import sys, queue_app; print('queue_app.models' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


def test_mere_rates_limit_the_whole_type(register: Register) -> None:
    assert registered(register, limits="20/d").limits == {"type:tests.job": "20/d"}


def test_a_type_that_says_nothing_has_the_sites_retries(register: Register) -> None:
    kind = registered(register)
    assert kind.max_attempts == kind.retry.max_attempts == conf.get("MAX_RETRIES") + 1


def test_the_site_says_when_jobs_of_a_type_are_tried_again_but_for_the_queues_own(
    register: Register, settings: Any
) -> None:
    own = RetryPolicy.fixed(max_attempts=2, delay_seconds=5)
    kind = registered(register, retry=own)
    settings.SOCIALQ = {**settings.SOCIALQ, "RETRIES": {"other.*": "1s", "tests.*": "10m 10m", "*": "never"}}
    assert (kind.retry, kind.max_attempts) == (RetryPolicy.by_steps(600, 600), 3)
    settings.SOCIALQ = {**settings.SOCIALQ, "RETRIES": {"other.*": "1s"}}
    assert (kind.retry, kind.max_attempts) == (own, 2)
    internal = dataclasses.replace(kind, internal=True)
    settings.SOCIALQ = {**settings.SOCIALQ, "RETRIES": {"*": "never"}}
    assert (kind.max_attempts, internal.max_attempts) == (1, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue": ""}, "queue is 1 to 100 characters without spaces"),
        ({"queue": "two words"}, "queue is 1 to 100"),
        ({"priority": 0}, "priority is 1"),
        ({"priority": "urgent"}, "high, normal, low"),
        ({"priority": True}, "priority is 1"),
        ({"timeout_seconds": 0}, "timeout_seconds is a positive number of seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds is a positive"),
        ({"expires_seconds": -1}, "expires_seconds is a positive"),
        ({"result_ttl_seconds": "1h"}, "result_ttl_seconds is a positive"),
        ({"every_seconds": float("inf")}, "every_seconds is a positive"),
        ({"retry": 3}, "retry is a RetryPolicy, not '3'"),
        ({"reasons": {"lost": 5}}, "reasons is words by code"),
        ({"internal": "yes"}, "internal is True or False"),
        ({"unique": "yes"}, "unique is True, False or a function"),
        ({"limits": ["20/d"]}, "limits is rates by key pattern"),
        ({"limits": {"account:7": 20}}, r"limits\['account:7'\] is text"),
        ({"limits": {"account:7": "20 a day"}}, "a rate is a number of starts and a window, such as 200/h"),
        ({"limits": ""}, "a limit needs a rate such as 200/h"),
        ({"limits": {"a b": "20/d"}}, "a limit's key pattern is 1 to 180"),
        ({"breaker": "a b"}, "breaker is 1 to 180"),
        ({"on_transition": "f"}, "on_transition is a function"),
        ({"describe": 1}, "describe is a function"),
    ],
)
def test_an_option_that_cannot_be_is_refused(register: Register, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=rf"job type 'tests.job': .*{message}"):
        register(handler, **options)
    assert "tests.job" not in registry.known()


@pytest.mark.parametrize("name", ["", "x" * 100, "two words", "tab\t", None, ["a"]])
def test_a_name_that_cannot_be_is_refused(register: Register, name: Any) -> None:
    with pytest.raises(ValueError, match="name is 1 to 99 characters without spaces"):
        register(handler, name=name)


def no_context() -> None: ...
def only_named(*, context: JobContext) -> None: ...
def only_gathers(**args: Any) -> None: ...
def positional(context: JobContext, file: str, /) -> None: ...
async def coroutine(context: JobContext) -> None: ...


def generator(context: JobContext) -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (no_context, "no_context must take the job's context as its first argument"),
        (only_named, "must take the job's context"),
        (only_gathers, "must take the job's context"),
        (positional, "gets its arguments by name; file is positional only"),
        (coroutine, "is async; wrap it in asgiref.sync.async_to_sync"),
        (generator, "is a generator"),
        (7, "a handler is a function or a class"),
    ],
)
def test_a_handler_that_cannot_be_called_is_refused(register: Register, bad: Callable[..., Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register(bad)


def test_a_name_is_taken_once(register: Register) -> None:
    register(handler)
    register(handler)  # the same again, as when a module is read twice
    with pytest.raises(ValueError, match=r"job type 'tests.job' is already registered"):
        register(lambda context: None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("answer", "kept_seconds"), [("r", 60), (Done("r"), 60), (Done("r", result_ttl_seconds=5), 5)])
def test_a_result_is_kept_as_long_as_its_type_says_unless_the_outcome_does(
    register: Register, run: Run, answer: Any, kept_seconds: float
) -> None:
    job = api.enqueue(register(lambda context: answer, result_ttl_seconds=60))
    run()
    job = reloaded(job)
    assert job.result_expires_at is not None
    assert job.finished_at is not None
    assert (job.result_expires_at - job.finished_at).total_seconds() == kept_seconds
