"""Adding many jobs at once: what ``transitions.add`` does, in one statement a batch; on SQLite one more for events.

The rows travel as one JSON text, which both databases take apart themselves. Adds pending jobs and changes none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from django.db import IntegrityError, connections
from django.db.models import DateTimeField, JSONField

from queue_app import registry, signals, statements, transitions
from queue_app.database import alias, atomic, is_postgresql, wake
from queue_app.errors import DuplicateJob
from queue_app.models import Event, EventName, Job
from queue_app.states import UNFINISHED

BATCH_JOBS = 1_000
BATCH_BYTES = 8 * 1024 * 1024
DUPLICATES = ("raise", "skip")

# What ``new_jobs.build`` sets; every other column of a new job has its default.
COLUMNS = (
    "type",
    "queue",
    "priority",
    "args",
    "target_id",
    "metadata",
    "keys",
    "unique_key",
    "run_at",
    "expires_at",
    "max_attempts",
    "created_at",
    "updated_at",
)

_FIELDS = tuple(field for name in COLUMNS for field in Job._meta.concrete_fields if field.name == name)
_JSON_PLACES = tuple(place for place, field in enumerate(_FIELDS) if isinstance(field, JSONField))
_MOMENT_PLACES = tuple(place for place, field in enumerate(_FIELDS) if isinstance(field, DateTimeField))
_values = attrgetter(*COLUMNS)

Row = list[Any]


def insert(jobs: Iterable[Job], actor: str = "", *, on_duplicate: str = "raise") -> list[int]:
    """Add jobs made by ``new_jobs.build``, all or none, in the caller's transaction; return their ids in order.

    Of a job whose unique key is taken, in the table or by one before it, "skip" returns the id of the job that has it;
    "raise" raises DuplicateJob for the first. Jobs that a hook or a receiver of ``job_added`` follows go one by one.
    """
    if on_duplicate not in DUPLICATES:
        raise ValueError(f"on_duplicate is {' or '.join(DUPLICATES)}, not {on_duplicate!r}")
    skip = on_duplicate == "skip"
    ids: list[int] = []
    queues: dict[str, None] = {}
    with atomic():
        for batch, rows in _batches(jobs):
            if _is_followed(batch):
                ids += [_add_one(job, actor, skip=skip) for job in batch]
            else:
                ids += _add_batch(batch, rows, actor, skip=skip)
                queues |= dict.fromkeys(job.queue for job in batch)
        for queue in queues:
            wake(queue)
    return ids


def _batches(jobs: Iterable[Job]) -> Iterator[tuple[list[Job], list[Row]]]:
    """Yield the jobs with their rows, few enough at a time for one statement."""
    adapt = connections[alias()].ops.adapt_datetimefield_value
    # Most jobs of a batch share their times.
    stored = lru_cache(maxsize=BATCH_JOBS)(lambda moment: None if moment is None else str(adapt(moment)))
    batch: list[Job] = []
    rows: list[Row] = []
    size = 0
    for job in jobs:
        row = list(_values(job))
        for place in _JSON_PLACES:
            row[place] = statements.to_json(row[place])
            size += len(row[place])
        for place in _MOMENT_PLACES:
            row[place] = stored(row[place])
        batch.append(job)
        rows.append(row)
        if len(batch) == BATCH_JOBS or size > BATCH_BYTES:
            yield batch, rows
            batch, rows, size = [], [], 0
    if batch:
        yield batch, rows


def _is_followed(batch: Sequence[Job]) -> bool:
    hooked = any(map(registry.is_hooked, {job.type for job in batch}))
    return hooked or signals.job_added.has_listeners(Job)


def _add_one(job: Job, actor: str, *, skip: bool) -> int:
    try:
        with atomic():
            return transitions.add(job, actor=actor).pk
    except IntegrityError:
        holder = _holders([job.unique_key]).get(job.unique_key)
        if job.unique_key is None or holder is None:
            raise
    if not skip:
        raise DuplicateJob(job.unique_key, holder)
    return holder


def _add_batch(batch: Sequence[Job], rows: Sequence[Row], actor: str, *, skip: bool) -> list[int]:
    ids = [0] * len(batch)
    left = list(range(len(batch)))
    while left:
        added = sorted(_insert_rows([rows[position] for position in left], actor))
        new_keys = {key for _job_id, key in added if key is not None}
        new_ids = iter(job_id for job_id, _key in added)
        refused = []
        for position in left:
            job = batch[position]
            if job.unique_key is None or job.unique_key in new_keys:
                new_keys.discard(job.unique_key)
                job.pk = ids[position] = next(new_ids)
                job._state.adding, job._state.db = False, alias()
            else:
                refused.append(position)
        holders = _holders([batch[position].unique_key for position in refused])
        for position in refused:
            key = batch[position].unique_key
            if key is not None and key in holders and not skip:
                raise DuplicateJob(key, holders[key])
            ids[position] = holders.get(key, 0)
        # Whoever had the key of one of these has finished since: it is free now.
        left = [position for position in refused if not ids[position]]
    return ids


def _holders(keys: Iterable[str | None]) -> dict[str | None, int]:
    """Return the unfinished jobs that have these unique keys."""
    wanted = {key for key in keys if key is not None}
    if not wanted:
        return {}
    return dict(Job.objects.filter(unique_key__in=wanted, state__in=UNFINISHED).values_list("unique_key", "pk"))


def _insert_rows(rows: Sequence[Row], actor: str) -> list[tuple[int, str | None]]:
    """Insert jobs with their first events; ids rise with the rows.

    Return the id and unique key of each but those whose key is taken.
    """
    columns = list(zip(*rows, strict=True))
    # Most jobs of a batch differ in a few columns only: what they share is sent, and read by the database, once.
    varying = tuple(place for place, column in enumerate(columns) if column.count(column[0]) < len(rows))
    shared = [column[0] for place, column in enumerate(columns) if place not in varying]
    own = list(zip(*(columns[place] for place in varying), strict=True)) if varying else [()] * len(rows)
    sql, defaults = _job_statement(alias(), varying)
    given = [*shared, *defaults, json.dumps(own)]
    with connections[alias()].cursor() as cursor:
        if is_postgresql():
            cursor.execute(_together(sql), [*given, actor])
            return list(cursor.fetchall())
        cursor.execute(sql, given)
        inserted = cursor.fetchall()
        cursor.execute(_event_statement(alias()), [actor, json.dumps([job_id for job_id, *_rest in inserted])])
    return [(job_id, unique_key) for job_id, unique_key, *_rest in inserted]


@lru_cache(maxsize=64)
def _job_statement(using: str, varying: tuple[int, ...]) -> tuple[str, tuple[Any, ...]]:
    """Return the statement that inserts jobs, and the values of the columns that no row has.

    Its parameters are the columns that the jobs share, those values, and the ``varying`` columns of each job as JSON.
    """
    connection = connections[using]
    quote = connection.ops.quote_name
    blank = Job()
    left_out = {
        field: field.get_db_prep_save(getattr(blank, field.attname), connection)
        for field in Job._meta.concrete_fields
        if field not in _FIELDS and not field.primary_key
    }
    defaults = {field: value for field, value in left_out.items() if value is not None}
    places = {field: place for place, field in enumerate(_FIELDS[each] for each in varying)}
    listed = (*_FIELDS, *defaults)
    if connection.vendor == "postgresql":
        own = "(item ->> {})"
        # Without its length a type refuses what is too long; with it a cast would cut it.
        casts = [f"::{str(field.db_type(connection)).partition('(')[0]}" for field in listed]
        source = "jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS items(item, place) ORDER BY place"
    else:
        own = "json_extract(value, '$[{}]')"
        casts = [""] * len(listed)
        source = "json_each(%s) WHERE true"
    values = [own.format(places[field]) if field in places else "%s" for field in listed]
    selected = ", ".join(f"{value}{cast}" for value, cast in zip(values, casts, strict=True))
    columns = ", ".join(quote(str(field.column)) for field in listed)
    sql = (
        f"INSERT INTO {quote(Job._meta.db_table)} ({columns}) SELECT {selected} FROM {source} "  # noqa: S608
        "ON CONFLICT DO NOTHING RETURNING id, unique_key, created_at, state, reason"
    )
    return sql, tuple(defaults.values())


@lru_cache(maxsize=64)
def _together(inserting: str) -> str:
    """Return the statement of PostgreSQL's that inserts jobs with their first events; its last parameter is who."""
    return f"WITH added AS ({inserting}), told AS ({_events('added')}) SELECT id, unique_key FROM added"  # noqa: S608


@lru_cache
def _event_statement(using: str) -> str:
    """Return the statement that writes the first event of the jobs whose ids are given as JSON."""
    jobs = connections[using].ops.quote_name(Job._meta.db_table)
    return _events(f"{jobs} WHERE id IN (SELECT value FROM json_each(%s))")  # noqa: S608


def _events(jobs: str) -> str:
    return (
        f"INSERT INTO {statements.quoted(Event._meta.db_table)} "  # noqa: S608 -- names from code
        "(job_id, at, name, source, target, reason, actor, data) "
        f"SELECT id, created_at, '{EventName.ADDED.value}', '', state, reason, %s, '{{}}' FROM {jobs} ORDER BY id"
    )
