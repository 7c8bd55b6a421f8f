"""What a handler may answer. Values only; ``finish.py`` says what each does to the job.

Reasons and codes are kept up to 100 characters. Times are aware.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from queue_app.models import BlockKind


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in one execution, as the error log keeps it. Nothing in it may be secret."""

    error_class: str
    message: str
    code: str = ""
    traceback: str = ""
    response_code: int | None = None


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """A block to place in the transaction that records the outcome. ``key`` is one that ``pauses.check_key`` takes."""

    key: str
    kind: BlockKind
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The work is done. ``result`` is JSON and kept until ``result_ttl_seconds`` from now.

    ``None`` is as long as the job's type says, else as long as the job.
    """

    result: Any = None
    result_ttl_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Failed, nothing irreversible happened: try again by the policy, or after ``delay_seconds`` if that is longer."""

    failure: Failure
    delay_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Postpone:
    """Not now, through no fault of the job: uses up no attempt. Waits until ``until``, or under ``block``'s key.

    ``deadline_seconds`` bounds how long it may be postponed in a row for ``reason``, with which it fails past that.
    """

    reason: str
    until: datetime | None = None
    block: BlockRequest | None = None
    failure: Failure | None = None
    deadline_seconds: float = 86_400


@dataclass(frozen=True, slots=True)
class Hold:
    """This one job needs a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Failed for good, and documented so: trying again would change nothing."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The irreversible step was begun and nobody knows whether it took effect."""

    failure: Failure


Outcome = Done | Retry | Postpone | Hold | Fail | Uncertain


@dataclass(frozen=True, slots=True)
class Found:
    """Answer of a reconcile function: the step took effect, with this result."""

    result: Any = None


@dataclass(frozen=True, slots=True)
class Absent:
    """Answer of a reconcile function: the step provably took no effect and never will."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """Answer of a reconcile function: no way to know. ``look_again`` if a later look may tell."""

    reason: str
    look_again: bool = False
    failure: Failure | None = field(default=None)


Finding = Found | Absent | CannotTell
