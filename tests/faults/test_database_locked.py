"""Somebody else holds the database's lock for longer than anybody should: late, not lost.

A person waits, or is told to try again: never a server error.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest

from tests.faults.clusters import Clusters
from tests.faults.conftest import Injected
from tests.faults.people import Person
from tests.faults.rounds import LONG

pytestmark = [pytest.mark.faults, pytest.mark.row(8)]

HOLD_SECONDS = 30 if LONG else 3
# The test app's grace for a job that overruns is one second.
BEYOND_THE_LEASE_SECONDS = 30 if LONG else 7
# Less than the 20 s that a statement waits for SQLite's lock.
PATIENCE_SECONDS = 12 if LONG else 2


@contextmanager
def held_lock(clusters: Clusters) -> Iterator[None]:
    """Hold the lock that every change needs."""
    url = clusters.site.database_url
    if url.startswith("sqlite:"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(url) as server:
            server.execute("LOCK TABLE queue_app_job IN EXCLUSIVE MODE")
            yield


def passes(clusters: Clusters, seconds: float) -> None:
    """Let the fault last."""
    end = time.monotonic() + seconds
    clusters.site.wait_until(lambda: time.monotonic() >= end, seconds + 5)


def test_work_is_late_but_not_lost(clusters: Clusters, injected: Injected) -> None:
    clusters.start()
    go = clusters.site.directory / "go"
    running = clusters.enqueue("testapp.send", args={"file": str(clusters.notes), "before_mark": str(go)})
    clusters.site.wait_until(lambda: len(clusters.lines()) == 1)
    waiting = [clusters.note("waiting"), clusters.note("waiting too")]
    for job in waiting:
        clusters.wait_for_state(job, "completed")
    with held_lock(clusters):
        injected(f"the database's lock held for {HOLD_SECONDS} s by another process")
        go.touch()
        passes(clusters, HOLD_SECONDS)
        assert "sent" not in clusters.lines()
        assert clusters.state(running) == "running"
    clusters.wait_for_state(running, "completed")
    assert clusters.lines().count("sent") == 1


def test_a_job_that_ended_is_saved_however_long_that_takes(clusters: Clusters, injected: Injected) -> None:
    clusters.start()
    go = clusters.site.directory / "go"
    job = clusters.enqueue("testapp.send_briefly", args={"file": str(clusters.notes), "after_mark": str(go)})
    clusters.site.wait_until(lambda: len(clusters.lines()) == 2)
    with held_lock(clusters):
        injected(f"the database's lock held for {BEYOND_THE_LEASE_SECONDS} s when a job with a timeout of 2 s ends")
        go.touch()
        passes(clusters, BEYOND_THE_LEASE_SECONDS)
        assert clusters.lines().count("sent") == 1
        assert clusters.state(job) == "running"
    clusters.wait_for_state(job, "completed")
    assert clusters.attempts(job) == ["completed"]
    assert clusters.lines().count("sent") == 1


def test_a_person_reads_on_and_is_late_or_told_to_try_again(clusters: Clusters, injected: Injected) -> None:
    clusters.start()
    unwanted = clusters.enqueue("testapp.note", args={"file": str(clusters.notes), "line": "no"}, queue="nobody's")
    with Person(clusters) as person, ThreadPoolExecutor(2) as pool:
        with held_lock(clusters):
            injected(f"the database's lock held for {HOLD_SECONDS} s while a person cancels and another adds a job")
            cancelling = pool.submit(person.cancel, unwanted)
            assert person.get("/admin/queue_app/job/").status_code == 200
            passes(clusters, HOLD_SECONDS - PATIENCE_SECONDS)
            adding = pool.submit(clusters.note, "late")
            passes(clusters, PATIENCE_SECONDS)
            assert not adding.done()
        answer = cancelling.result()
        if answer.status_code == 503:
            assert "The database is busy: something else has held it for too long." in answer.text
            assert clusters.state(unwanted) == "pending"
            answer = person.cancel(unwanted)
        assert answer.status_code == 302
    assert clusters.state(unwanted) == "cancelled"
    clusters.wait_for_state(adding.result(), "completed")
    assert clusters.lines() == ["late"]
