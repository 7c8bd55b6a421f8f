"""kill -9 of workers that run jobs of the queue: each execution has its effect once at most, each job at least once."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress

import pytest

from tests.faults.clusters import Clusters, descendants
from tests.faults.conftest import Injected
from tests.faults.rounds import LONG

pytestmark = [pytest.mark.faults, pytest.mark.row(1)]

JOBS, KILLS = (200, 20) if LONG else (60, 6)
MANY_RETRIES = 100


def kill_once_at(clusters: Clusters, step: str) -> None:
    killed = clusters.site.directory / "killed"
    clusters.site.env["SOCIALQ_FAILPOINTS"] = f"{step}=kill@{killed}"


@pytest.mark.parametrize(("step", "executions"), [("after_claim", [2]), ("before_saving", [1, 2])])
def test_an_unmarked_job_whose_worker_was_killed_runs_again(
    clusters: Clusters, injected: Injected, step: str, executions: list[int]
) -> None:
    kill_once_at(clusters, step)
    job = clusters.enqueue("testapp.trace", args={"file": str(clusters.notes)})
    clusters.start()
    clusters.wait_for_state(job, "completed")
    injected("kill -9 of a worker, unmarked job")
    assert clusters.lines() == [f"{job}/{number}" for number in executions], clusters.attempts(job)
    assert clusters.attempts(job) == ["lost", "completed"]


@pytest.mark.parametrize(("step", "state", "sent"), [("before_mark", "completed", 1), ("after_mark", "uncertain", 0)])
def test_a_job_that_cannot_be_taken_back_is_sent_once_at_most(
    clusters: Clusters, injected: Injected, step: str, state: str, sent: int
) -> None:
    kill_once_at(clusters, step)
    job = clusters.enqueue("testapp.send", args={"file": str(clusters.notes)})
    clusters.start()
    clusters.wait_for_state(job, state)
    injected("kill -9 of a worker at the mark")
    assert clusters.lines().count("sent") == sent


def test_a_marked_job_whose_worker_was_killed_before_saving_is_not_sent_again(
    clusters: Clusters, injected: Injected
) -> None:
    kill_once_at(clusters, "before_saving")
    job = clusters.enqueue("testapp.send", args={"file": str(clusters.notes)})
    clusters.start()
    clusters.wait_for_state(job, "uncertain")
    injected("kill -9 of a worker after the mark")
    clusters.wait_for_state(clusters.note("later"), "completed")
    assert clusters.lines().count("sent") == 1


def test_in_a_storm_of_kills_every_execution_takes_effect_once_at_most_and_every_job_once_at_least(
    clusters: Clusters, injected: Injected
) -> None:
    seed = random.randrange(10**9)
    chance = random.Random(seed)
    clusters.site.env["SOCIALQ_FAILPOINTS"] = "after_claim=sleep:0.05,before_saving=sleep:0.05"
    main = clusters.start()
    jobs = clusters.enqueue_many("testapp.trace", JOBS, args={"file": str(clusters.notes)}, max_retries=MANY_RETRIES)
    killed = 0
    while killed < KILLS:
        clusters.site.wait_until(lambda: descendants(main.pid)[1:], 30)
        with suppress(ProcessLookupError):
            os.kill(chance.choice(descendants(main.pid)), signal.SIGKILL)
            injected("kill -9 of a random process below a cluster")
            killed += 1
        # The next one meets a cluster that works again: a new line, or all are done.
        seen, end = len(clusters.lines()), time.monotonic() + 15
        clusters.site.wait_until(lambda seen=seen, end=end: len(clusters.lines()) > seen or time.monotonic() > end, 30)
    clusters.wait_for_all("testapp.trace", 120)
    effects = Counter(clusters.lines())
    assert [line for line, times in effects.items() if times > 1] == [], f"seed {seed}"
    assert {int(line.partition("/")[0]) for line in effects} == set(jobs), f"seed {seed}"
    assert (
        clusters.count("SELECT COUNT(*) FROM queue_app_job WHERE type = 'testapp.trace' AND state <> 'completed'") == 0
    )
