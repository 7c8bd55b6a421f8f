"""Job types and their handlers. A site registers its own with ``@job_type``; nothing here touches the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from queue_app import conf
from queue_app.outcomes import Finding
from queue_app.retry import RetryPolicy

if TYPE_CHECKING:
    from queue_app.context import JobContext
    from queue_app.models import Event, Job

Handler = Callable[..., Any]
OnTransition = Callable[["Job", "Event"], None]
Reconcile = Callable[["JobContext", "Job"], Finding]

RECONCILE = "queue_app.reconcile"
SEND_NOTICES = "queue_app.send_notices"
RECONCILE_DELAY_SECONDS = 10.0
RECONCILE_RETRY = RetryPolicy.by_steps(60.0, 300.0, 1800.0)


@dataclass(frozen=True, slots=True)
class JobType:
    """One kind of job. See ``job_type`` for the meaning of the fields."""

    name: str
    handler: Handler
    queue: str = "default"
    priority: int = 5
    retry_policy: RetryPolicy | None = None
    timeout_seconds: float | None = None
    on_transition: OnTransition | None = None
    reconcile: Reconcile | None = None
    describe: Callable[[Job], str] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    every_seconds: float | None = None
    internal: bool = False

    @property
    def retry(self) -> RetryPolicy:
        """The type's policy, else the site's (``QUEUE_*`` settings)."""
        return self.retry_policy or RetryPolicy(
            max_attempts=conf.get("MAX_RETRIES") + 1,
            base_seconds=conf.get("RETRY_BASE_DELAY_SECONDS"),
            multiplier=conf.get("RETRY_MULTIPLIER"),
        )

    @property
    def timeout(self) -> float:
        """Longest run in seconds."""
        return self.timeout_seconds or float(conf.get("JOB_TIMEOUT_SECONDS"))


class UnknownJobType(LookupError):
    """No such job type is registered in this process."""

    def __init__(self, name: str) -> None:
        known = ", ".join(sorted(n for n, t in _types.items() if not t.internal)) or "none"
        super().__init__(f"unknown job type {name!r}; registered: {known}")
        self.name = name


_types: dict[str, JobType] = {}


def job_type(
    name: str,
    *,
    queue: str = "default",
    priority: int = 5,
    retry: RetryPolicy | None = None,
    timeout_seconds: float | None = None,
    on_transition: OnTransition | None = None,
    reconcile: Reconcile | None = None,
    describe: Callable[[Job], str] | None = None,
    reasons: Mapping[str, str] | None = None,
    every_seconds: float | None = None,
    internal: bool = False,
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of jobs of type ``name``.

    The handler is called with a ``JobContext`` and the job's arguments by name. It returns an outcome, or any JSON,
    which means done with that result; an exception means retry (after the mark: uncertain).

    ``on_transition`` runs inside the transaction of every change of such a job. ``reconcile`` is asked when an
    execution's outcome is unknown. ``describe`` names a job of this type to people, ``reasons`` puts the codes
    that its handler and look-up give into words. ``every_seconds`` makes it housekeeping: one such job always waits,
    and when it is finished the next is enqueued that much later.
    ``internal`` jobs are not counted and nobody is told of them. Raises ``ValueError`` if the name is taken by
    another function.
    """

    def register(handler: Handler) -> Handler:
        taken = _types.get(name)
        if taken is not None and taken.handler is not handler:
            raise ValueError(f"job type {name!r} is already registered")
        _types[name] = JobType(
            name=name,
            handler=handler,
            queue=queue,
            priority=priority,
            retry_policy=retry,
            timeout_seconds=timeout_seconds,
            on_transition=on_transition,
            reconcile=reconcile,
            describe=describe,
            reasons=reasons or {},
            every_seconds=every_seconds,
            internal=internal,
        )
        return handler

    return register


def get(name: str) -> JobType:
    """Return the job type ``name``; raise UnknownJobType if this process does not know it."""
    try:
        return _types[name]
    except KeyError:
        raise UnknownJobType(name) from None


def known() -> Mapping[str, JobType]:
    """Return all registered job types by name."""
    return dict(_types)


def unregister(name: str) -> None:
    """Forget the job type ``name``; for sites that replace one of ours."""
    _types.pop(name, None)
