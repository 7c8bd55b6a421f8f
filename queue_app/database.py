"""Which database the queue lives in, and the few things that differ between SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from operator import itemgetter
from types import TracebackType
from typing import Any, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet

from queue_app.models import Job

# Two integers that name the queue's control lock among the advisory locks of a PostgreSQL database.
CONTROL_LOCK = (0x50C1, 0x0A1)
WAKE_CHANNEL = "socialq_jobs"
# A class of PostgreSQL's error codes.
PROGRAM_LIMIT_EXCEEDED = "54"
DIVISION_BY_ZERO = "22012"
MOST_ROWS = 1_000_000
LONGEST_REST_SECONDS = 0.25
# A statement that took longer than this has plans made anew, at most so often.
SLOW_SECONDS = 0.002
REPLAN_SECONDS = 1.0

# SQL, its parameters, and what to raise if it changes no row.
Statement = tuple[str, Sequence[Any], Exception | None]
Execute = Callable[..., Any]
_unchanged = itemgetter(2)
Result = TypeVar("Result")

_found = threading.local()
_gathered: ContextVar[list[Statement] | None] = ContextVar("gathered", default=None)


class _Plans(threading.local):
    """Of a thread's connection: whether the last answer took long, and when plans were last made anew."""

    doubted = False
    made_at = float("-inf")


_plans = _Plans()


def alias() -> str:
    """Return the alias of the database that holds the queue."""
    return router.db_for_write(Job) if router.routers else DEFAULT_DB_ALIAS


def connection() -> BaseDatabaseWrapper:
    """Return this thread's connection to the queue's database. Kept: Django looks a dozen things up to find it."""
    using = alias()
    found: BaseDatabaseWrapper | None = _found.__dict__.get(using)
    if found is None:
        found = _found.__dict__[using] = connections[using]
    return found


class Atomic(transaction.Atomic):
    """Django's, that keeps what is gathered in step with savepoints.

    What was gathered before one is sent before it begins, and rolling it back forgets what was gathered in it.
    """

    def __enter__(self) -> None:
        """Begin a transaction, or a savepoint of one."""
        queue = connection()
        if queue.in_atomic_block:
            flush()
            super().__enter__()
        elif queue.vendor == "sqlite":
            _begin_immediate(queue, super().__enter__)
        else:
            super().__enter__()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit, or roll back."""
        waiting = _gathered.get()
        if waiting and (exc_type is not None or connection().needs_rollback):
            waiting.clear()
        super().__exit__(exc_type, exc_value, traceback)


def _begin_immediate(queue: Any, begin: Callable[[], None]) -> None:
    """Begin a transaction of SQLite's that takes the write lock at once, whatever mode the host's settings name.

    One that first reads and then wants to write fails as "locked" without waiting, if anybody wrote in between.
    """
    queue.ensure_connection()
    mode, queue.transaction_mode = queue.transaction_mode, "IMMEDIATE"
    try:
        begin()
    finally:
        queue.transaction_mode = mode


def atomic(*, durable: bool = False) -> Atomic:
    """Return a transaction (or savepoint) on the queue's database. A ``durable`` one refuses to be a savepoint."""
    return Atomic(alias(), savepoint=True, durable=durable)


@contextmanager
def in_turn() -> Iterator[None]:
    """Do one of many batches, and then leave SQLite's write lock alone for as long as that took, or for a moment.

    Whoever waits for it only looks now and then: between transactions that follow each other hardly anybody gets it.
    """
    began = time.monotonic()
    yield
    if not is_postgresql() and alone():
        time.sleep(min(time.monotonic() - began, LONGEST_REST_SECONDS))


def delete_in_turns(found: QuerySet[Any], size: int) -> int:
    """Delete what ``found`` finds, in its order, ``size`` rows a transaction; return how many rows went.

    What has changed meanwhile, so that it is not found any more, stays.
    """
    deleted = 0
    while batch := list(found.values_list("pk", flat=True)[:size]):
        with in_turn():
            deleted += found.filter(pk__in=batch).delete()[0]
    return deleted


def is_away(error: BaseException) -> bool:
    """Say whether ``error`` tells of a database that is away, busy or full, and not of a statement that it refuses.

    SQLite calls a missing table, and PostgreSQL a value beyond its bounds, by the name of the former.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    told = error.__cause__
    refused = getattr(told, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return not (refused or (getattr(told, "sqlstate", None) or "").startswith(PROGRAM_LIMIT_EXCEEDED))


def reason_of(error: BaseException) -> str:
    """Return in one line what ``error`` says, for a sentence that goes on; what says nothing is called by its type."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def open_transactions() -> int:
    """Return how many transactions and savepoints this thread is in."""
    queue = connection()
    by_hand = queue.connection is not None and not (queue.autocommit or queue.in_atomic_block)
    return len(queue.atomic_blocks) + by_hand


def alone() -> bool:
    """Say whether every statement of this thread commits by itself now."""
    queue = connection()
    commits = queue.settings_dict["AUTOCOMMIT"] if queue.connection is None else queue.autocommit
    return commits and not queue.in_atomic_block


def abandon() -> None:
    """Close this thread's connections, whatever they were in the middle of; new ones are made when needed."""
    connections.close_all()
    for wrapper in connections.all(initialized_only=True):
        if wrapper.in_atomic_block:
            # It would stay closed until the end of a block that nobody ends any more.
            del connections[wrapper.alias]
            _found.__dict__.pop(wrapper.alias, None)


def is_postgresql() -> bool:
    """Say whether the queue lives in PostgreSQL."""
    return connection().vendor == "postgresql"


def lock_control(*, shared: bool) -> None:
    """Take the control lock until the transaction ends: shared to mark or park, alone to place or lift a block.

    After a block has committed, no transaction that took the shared lock before it is still open, so no mark commits
    that did not see the block. On SQLite every writing transaction is already alone. Comes before all other locks that
    one waits for (ADR 2).
    """
    if not is_postgresql():
        return
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    with connection().cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", CONTROL_LOCK)


def wake(queue: str) -> None:
    """Tell waiting clusters on PostgreSQL, at commit, that ``queue`` has changed; SQLite's watch its data version."""
    if is_postgresql():
        run("SELECT pg_notify(%s, %s)", [WAKE_CHANNEL, queue])


def run(sql: str, params: Sequence[Any] | Mapping[str, Any], named: str = "") -> Any:
    """Run one statement past Django's cursors, which rewrite its text every time; return its cursor.

    The text has the database's own placeholders; those with names are SQLite's alone. What was gathered is sent along,
    before it. On PostgreSQL a query may speak of what is ``named``: the parts of its WITH clause, whose parameters come
    first.
    """
    queue = connection()
    if queue.connection is None:
        queue.ensure_connection()
    # As Django's cursors do: what is written into a transaction that will be undone only seems to be written.
    queue.validate_no_broken_transaction()
    with queue.wrap_database_errors:
        if queue.vendor != "postgresql":
            return queue.connection.execute(sql, params)
        waiting = _gathered.get()
        if waiting and not sql.startswith("SELECT") and any(map(_unchanged, waiting)):
            _send_all(waiting)
        return _send([*_taken(waiting or []), (sql, cast("Sequence[Any]", params), None)], named)


def tell(sql: str, params: Sequence[Any], unchanged: Exception | None = None) -> None:
    """Run one statement whose answer nobody needs: at once, or with the next one where statements are gathered.

    Where it changes no row, ``unchanged`` is raised: by this call or by the one that sends it.
    """
    waiting = _gathered.get()
    if waiting is not None:
        waiting.append((sql, params, unchanged))
    elif run(sql, params).rowcount == 0 and unchanged is not None:
        raise unchanged


def gathered(*, locks: bool = True) -> AbstractContextManager[None]:
    """Send what needs no answer as a part of the next statement that does, in one round trip; all of it at the end.

    For code inside one transaction that runs several statements, of which those gathered write different rows. On
    SQLite there is no round trip to spare, but where ``locks`` says that no transaction is open yet, what is gathered
    is made ready before one takes the write lock.
    """
    spares = is_postgresql() or not locks
    return _gathering() if spares and _gathered.get() is None else nullcontext()


@contextmanager
def _gathering() -> Iterator[None]:
    token = _gathered.set([])
    try:
        yield
        flush()
    finally:
        _gathered.reset(token)


@contextmanager
def at_once() -> Iterator[None]:
    """Send every statement when it is made: for code of others, which may roll a savepoint of its own back."""
    flush()
    token = _gathered.set(None)
    try:
        yield
    finally:
        _gathered.reset(token)


def briefly(work: Callable[[Execute], Result]) -> Result:
    """Send what was gathered, then call ``work``, in one transaction of SQLite's; return its answer.

    ``work`` gets what runs a statement, and does nothing else: all that Django does around transactions and statements
    takes as long as they do, while others wait for the write lock.
    """
    queue = connection()
    if not alone():
        with atomic(), queue.wrap_database_errors:
            flush()
            return work(queue.connection.execute)
    queue.ensure_connection()
    with queue.wrap_database_errors:
        execute = queue.connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            _run_all(_gathered.get() or [], execute)
            answer = work(execute)
            execute("COMMIT")
        except BaseException:
            queue.connection.rollback()
            raise
        return answer


def flush() -> None:
    """Send what was gathered so far."""
    waiting = _gathered.get()
    if waiting:
        if is_postgresql():
            with connection().wrap_database_errors:
                _send_all(waiting)
        elif connection().in_atomic_block:
            _run_all(waiting, run)
        else:
            with atomic():
                _run_all(waiting, run)


def _send_all(waiting: list[Statement]) -> None:
    _send([*_taken(waiting), ("SELECT 1", (), None)])


def _run_all(waiting: list[Statement], execute: Execute) -> None:
    for sql, params, unchanged in _taken(waiting):
        if execute(sql, params).rowcount == 0 and unchanged is not None:
            raise unchanged


def _taken(waiting: list[Statement]) -> list[Statement]:
    taken = list(waiting)
    waiting.clear()
    return taken


def _send(statements: Sequence[Statement], named: str = "") -> Any:
    """Send ``statements``, of which all but the last only write, as one; return its cursor, which is the last one's."""
    awaited = list(filter(None, map(_unchanged, statements)))
    text = _joined(tuple([(sql, unchanged is not None) for sql, _params, unchanged in statements]), named)
    cursor = _plain_cursor()(connection().connection)
    _doubt_old_plans(cursor)
    try:
        began = time.monotonic()
        cursor.execute(text, [each for _sql, params, _unchanged in statements for each in params])
        _plans.doubted = time.monotonic() - began > SLOW_SECONDS
    except Exception as error:
        if awaited and getattr(error, "sqlstate", None) == DIVISION_BY_ZERO:
            raise awaited[0] from error
        raise
    return cursor


def _doubt_old_plans(cursor: Any) -> None:
    """Have PostgreSQL plan anew what this connection asks again and again, if the last answer took long.

    A plan that was kept while the tables were small reads every row, and would until their statistics are made anew.
    """
    if _plans.doubted and time.monotonic() - _plans.made_at > REPLAN_SECONDS:
        cursor.execute("DISCARD PLANS", prepare=False)
        _plans.made_at = time.monotonic()


@lru_cache(maxsize=256)
def _joined(texts: tuple[tuple[str, bool], ...], named: str) -> str:
    """Return one statement that does what all of ``texts`` do. PostgreSQL runs what writes although nobody reads it.

    A limit is reckoned before the first row is looked for: where what must change a row changes none, that divides by
    zero, and the whole statement has not been.
    """
    *writing, (last, _answers) = texts
    parts = [f"written_{n} AS ({text}{' RETURNING 1' if must else ''})" for n, (text, must) in enumerate(writing)]
    changed = [f"(SELECT COUNT(*) FROM written_{n})" for n, (_text, must) in enumerate(writing) if must]  # noqa: S608 -- our own
    if changed:
        last = f"SELECT * FROM ({last}) AS last LIMIT {MOST_ROWS} / ({' * '.join(changed)})"  # noqa: S608 -- our own
    parts += [named] if named else []
    return f"WITH {', '.join(parts)} {last}" if parts else last


@lru_cache
def _plain_cursor() -> Callable[[Any], Any]:
    from psycopg import Cursor  # noqa: PLC0415 -- where PostgreSQL is used

    return Cursor
