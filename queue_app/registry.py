"""Job types and their handlers. A site registers its own with ``@job_type``; nothing here touches the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from queue_app import arguments, conf, given, routes
from queue_app.handlers import Handler, adapt
from queue_app.outcomes import Finding
from queue_app.priorities import number_of
from queue_app.rates import parse_rates
from queue_app.retry import RetryPolicy, parse_waits

if TYPE_CHECKING:
    from queue_app.context import JobContext
    from queue_app.models import Event, Job
    from queue_app.notices import Concern

H = TypeVar("H")
OnTransition = Callable[["Job", "Event"], None]
Reconcile = Callable[["JobContext", "Job"], Finding]
Unique = Callable[[Mapping[str, Any], str], str | None]

RECONCILE = "queue_app.reconcile"
SEND_NOTICES, DELIVER_NOTICES = "queue_app.send_notices", "queue_app.deliver_notices"
NAME_CHARACTERS = 99
# As long as the columns that hold a key, less the words that the queue puts before one.
KEY_CHARACTERS = 180
LONGEST_SECONDS = 100 * 366 * 86_400
RECONCILE_DELAY_SECONDS = 10.0
RECONCILE_RETRY = RetryPolicy.by_steps(60.0, 300.0, 1800.0)


@dataclass(frozen=True, slots=True)
class JobType:
    """One kind of job. See ``job_type`` for the meaning of the fields.

    ``handler`` is what the runner calls, ``registered`` what the site decorated: the same, or a class.
    """

    name: str
    handler: Handler
    registered: object
    queue: str
    priority: int
    retry_policy: RetryPolicy | None
    timeout_seconds: float | None
    unique: bool | Unique
    limits: Mapping[str, str]
    breaker: str
    expires_seconds: float | None
    result_ttl_seconds: float | None
    on_transition: OnTransition | None
    reconcile: Reconcile | None
    describe: Callable[[Job], str] | None
    concerns: Callable[[Job], Concern] | None
    reasons: Mapping[str, str]
    every_seconds: float | None
    internal: bool

    def __post_init__(self) -> None:
        """Raise ValueError for what no job type can be."""
        _check_word("name", self.name, NAME_CHARACTERS)
        _check_word("queue", self.queue, routes.QUEUE_CHARACTERS)
        if self.breaker != "":
            _check_word("breaker", self.breaker, KEY_CHARACTERS)
        for option in ("timeout_seconds", "expires_seconds", "result_ttl_seconds", "every_seconds"):
            _check_seconds(option, getattr(self, option))
        for option in ("on_transition", "reconcile", "describe", "concerns"):
            value = getattr(self, option)
            _check(value is None or callable(value), option, "a function", value)
        unique, retry = self.unique, self.retry_policy
        _check(isinstance(unique, bool) or callable(unique), "unique", "True, False or a function", unique)
        _check(retry is None or isinstance(retry, RetryPolicy), "retry", "a RetryPolicy", retry)
        _check(isinstance(self.internal, bool), "internal", "True or False", self.internal)
        _check(
            _is_worded(self.reasons), "reasons", 'words by code ({"no_tracking": "it cannot be traced"})', self.reasons
        )
        _check(isinstance(self.limits, Mapping), "limits", 'rates by key pattern ({"account:*": "20/d"})', self.limits)
        rates: object
        for pattern, rates in self.limits.items():
            _check_word("a limit's key pattern", pattern, KEY_CHARACTERS)
            _check(isinstance(rates, str), f"limits[{pattern!r}]", 'text like "20/d"', rates)
            parse_rates(str(rates))
        if self.every_seconds is not None:
            try:
                arguments.check(self, {})
            except arguments.InvalidArguments as error:
                raise ValueError(f"every_seconds enqueues without arguments, but {error}") from error

    @property
    def retry(self) -> RetryPolicy:
        """The policy that the site has for the type (``RETRIES``), else the type's, else the site's (``QUEUE_*``)."""
        return self._chosen_retry() or site_retry()

    @property
    def max_attempts(self) -> int:
        """How often a job of this type is executed at most, where it says nothing."""
        chosen = self._chosen_retry()
        return conf.get("MAX_RETRIES") + 1 if chosen is None else chosen.max_attempts

    @property
    def timeout(self) -> float:
        """Longest run in seconds."""
        return self.timeout_seconds or float(conf.get("JOB_TIMEOUT_SECONDS"))

    def _chosen_retry(self) -> RetryPolicy | None:
        waits = None if self.internal else routes.first_fitting(conf.get("RETRIES"), self.name)
        return self.retry_policy if waits is None else parse_waits(waits)

    def expires_at(self, due_at: datetime) -> datetime | None:
        """Return when a job that is due then is dropped, ``None`` for never. Raises ValueError."""
        if self.expires_seconds is None:
            return None
        try:
            return due_at + timedelta(seconds=self.expires_seconds)
        except OverflowError:
            raise ValueError(f"run_at is too far ahead: {due_at.isoformat()}") from None


class UnknownJobType(LookupError):
    """No such job type is registered in this process."""

    def __init__(self, name: str) -> None:
        known = ", ".join(sorted(n for n, t in _types.items() if not t.internal)) or "none"
        super().__init__(f"unknown job type {given.shown(name)}; registered: {known}")
        self.name = name


_types: dict[str, JobType] = {}


def job_type(
    name: str,
    *,
    queue: str = "default",
    priority: int | str = 5,
    retry: RetryPolicy | None = None,
    timeout_seconds: float | None = None,
    unique: bool | Unique = False,
    limits: str | Mapping[str, str] | None = None,
    breaker: str = "",
    expires_seconds: float | None = None,
    result_ttl_seconds: float | None = None,
    on_transition: OnTransition | None = None,
    reconcile: Reconcile | None = None,
    describe: Callable[[Job], str] | None = None,
    concerns: Callable[[Job], Concern] | None = None,
    reasons: Mapping[str, str] | None = None,
    every_seconds: float | None = None,
    internal: bool = False,
) -> Callable[[H], H]:
    """Register the decorated function or class as the handler of jobs of type ``name``.

    A function is called with a ``JobContext`` and the job's arguments by name. It returns an outcome, or any JSON,
    which means done with that result; an exception means retry (after the mark: uncertain). For the classes that may
    stand in its place see ``handlers``.

    - ``queue``, ``priority`` (1 first to 10 last, or high, normal, low), ``retry``, ``timeout_seconds``: its jobs'
      defaults. ``expires_seconds`` after it was due a job is dropped, counted anew where a person moves or retries it;
      ``result_ttl_seconds`` is how long a result is kept, where the outcome says nothing.
    - ``unique``: True allows one unfinished job for each target, or where a job has none for each set of arguments; a
      function of (arguments, target_id) returns the unique key, or None for none.
    - ``limits``: rates ("25/15m 100/d") by pattern of the jobs' keys; mere rates are those of the whole type.
    - ``breaker``: pattern of the keys that rest for a while when their jobs fail again and again.
    - ``on_transition`` runs inside the transaction of every change of such a job. ``reconcile`` is asked when an
      execution's outcome is unknown. ``describe`` names a job of this type to people, ``concerns`` says whom a notice
      about one is for (else: whoever may see all jobs), ``reasons`` puts the codes that its handler and look-up give
      into words.
    - ``every_seconds`` makes it periodic: the first such job runs when a cluster starts, and whenever one is finished,
      however it ended, the next is enqueued for that much later, without arguments. ``internal`` jobs are not counted
      and nobody is told of them, but of a periodic type that fails for good.

    Raises ValueError for an option that cannot be, and if the name is taken by another handler.
    """

    def register(registered: H) -> H:
        try:
            kind = JobType(
                name=name,
                handler=adapt(registered),
                registered=registered,
                queue=queue,
                priority=number_of(priority),
                retry_policy=retry,
                timeout_seconds=timeout_seconds,
                unique=unique,
                limits={f"type:{name}": limits} if isinstance(limits, str) else limits or {},
                breaker=breaker,
                expires_seconds=expires_seconds,
                result_ttl_seconds=result_ttl_seconds,
                on_transition=on_transition,
                reconcile=reconcile,
                describe=describe,
                concerns=concerns,
                reasons=reasons or {},
                every_seconds=every_seconds,
                internal=internal,
            )
        except ValueError as error:
            raise ValueError(f"job type {name!r}: {error}") from error
        taken = _types.get(name)
        if taken is not None and taken.registered is not registered:
            raise ValueError(f"job type {name!r} is already registered")
        _types[name] = kind
        return registered

    return register


def get(name: str) -> JobType:
    """Return the job type ``name``; raise UnknownJobType if this process does not know it."""
    try:
        return _types[name]
    except (KeyError, TypeError):  # a list is no key of a dict
        raise UnknownJobType(name) from None


def find(name: str) -> JobType | None:
    """Return the job type ``name``, ``None`` if this process does not know it."""
    return _types.get(name)


def is_hooked(name: str) -> bool:
    """Say whether the job type ``name`` wants to be asked at every change of its jobs."""
    kind = _types.get(name)
    return kind is not None and kind.on_transition is not None


def is_plain(name: str) -> bool:
    """Say whether jobs of the type ``name`` have no hook, no limit and no breaker of their own."""
    kind = _types.get(name)
    return kind is not None and kind.on_transition is None and not (kind.limits or kind.breaker)


def site_retry() -> RetryPolicy:
    """Return the site's policy (``QUEUE_*`` settings): of types without one, and of those that nobody knows here."""
    return RetryPolicy(
        max_attempts=conf.get("MAX_RETRIES") + 1,
        base_seconds=conf.get("RETRY_BASE_DELAY_SECONDS"),
        multiplier=conf.get("RETRY_MULTIPLIER"),
    )


def known() -> Mapping[str, JobType]:
    """Return all registered job types by name."""
    return dict(_types)


def unregister(name: str) -> None:
    """Forget the job type ``name``; for sites that replace one of ours."""
    _types.pop(name, None)


def _check(fine: bool, option: str, wanted: str, value: object) -> None:
    if not fine:
        raise ValueError(f"{option} is {wanted}, not {str(value)[:60]!r}")


def _is_worded(reasons: object) -> bool:
    return isinstance(reasons, Mapping) and all(isinstance(words, str) for words in reasons.values())


def _check_word(option: str, value: object, characters: int) -> None:
    fine = isinstance(value, str) and 0 < len(value) <= characters and value.isprintable() and " " not in value
    _check(fine, option, f"1 to {characters} characters without spaces", value)


def _check_seconds(option: str, value: object) -> None:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LONGEST_SECONDS
    _check(fine or value is None, option, f"a positive number of seconds, at most {LONGEST_SECONDS}", value)
