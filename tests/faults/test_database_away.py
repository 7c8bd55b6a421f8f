"""PostgreSQL stopped, killed and started beneath real clusters: they stay, and go on by themselves."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.clusters import Clusters, descendants
from tests.faults.conftest import Injected
from tests.faults.rounds import LONG
from tests.postgres import PrivatePostgres
from tests.site import PostgresDatabases, open_site

pytestmark = [pytest.mark.faults, pytest.mark.row(6), pytest.mark.xdist_group("database_away")]

GOES_ON_SECONDS = 30
JOBS, CRASHES = (6000, 8) if LONG else (2000, 3)


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrivatePostgres, PostgresDatabases]]:
    """A durable server, which the tests stop and start one after the other, and its databases."""
    server = PrivatePostgres(durable=True)
    try:
        server.start()
        yield server, PostgresDatabases(server, tmp_path_factory.mktemp("own"), "own")
    finally:
        server.close()


@pytest.fixture
def own_postgres(databases: tuple[PrivatePostgres, PostgresDatabases]) -> PrivatePostgres:
    """The server, started anew: the test before may have failed while it was away."""
    server, _databases = databases
    server.stop()
    server.start()
    return server


@pytest.fixture
def clusters(
    own_postgres: PrivatePostgres, databases: tuple[PrivatePostgres, PostgresDatabases], tmp_path: Path
) -> Iterator[Clusters]:
    with open_site(databases[1], f"own_{uuid.uuid4().hex[:8]}", tmp_path) as site:
        yield Clusters(site)


def away_is_noticed(clusters: Clusters) -> bool:
    return clusters.site.log.read_bytes().count(b"database away") >= 2


def test_an_idle_cluster_goes_on_when_the_database_is_back(
    clusters: Clusters, own_postgres: PrivatePostgres, injected: Injected
) -> None:
    main = clusters.start()
    processes = descendants(main.pid)
    own_postgres.stop("immediate")
    injected("PostgreSQL stopped (immediate) and started")
    clusters.site.wait_until(lambda: away_is_noticed(clusters))
    own_postgres.start()
    clusters.wait_for_state(clusters.note("after"), "completed", GOES_ON_SECONDS)
    assert descendants(main.pid) == processes


def test_a_running_job_is_saved_when_the_database_is_back(
    clusters: Clusters, own_postgres: PrivatePostgres, injected: Injected
) -> None:
    clusters.start()
    go = clusters.site.directory / "go"
    job = clusters.enqueue("testapp.wait", args={"file": str(clusters.notes), "until": str(go)})
    clusters.site.wait_until(clusters.lines)
    own_postgres.stop("immediate")
    injected("PostgreSQL stopped (immediate) and started")
    go.touch()
    clusters.site.wait_until(lambda: "done" in clusters.lines())
    clusters.site.wait_until(lambda: away_is_noticed(clusters))
    own_postgres.start()
    clusters.wait_for_state(job, "completed", GOES_ON_SECONDS)
    assert clusters.attempts(job) == ["completed"]
    assert clusters.lines().count("done") == 1


def test_a_server_that_dies_under_a_stream_of_claims_costs_no_job(
    clusters: Clusters, own_postgres: PrivatePostgres, injected: Injected
) -> None:
    main = clusters.start()
    processes = descendants(main.pid)
    jobs = clusters.enqueue_many("testapp.trace", JOBS, args={"file": str(clusters.notes)}, max_retries=CRASHES)
    for crash in range(1, CRASHES + 1):
        seen = crash * JOBS // (CRASHES + 2)
        clusters.site.wait_until(lambda seen=seen: len(clusters.lines()) >= seen)
        own_postgres.stop("immediate")
        injected("PostgreSQL stopped (immediate) and started while jobs are claimed")
        at_once = len(clusters.lines())
        assert at_once < JOBS, "it stopped too late to meet a claim"
        own_postgres.start()
        clusters.site.wait_until(lambda at_once=at_once: len(clusters.lines()) > at_once, GOES_ON_SECONDS)
    clusters.wait_for_all("testapp.trace")
    effects = Counter(int(line.partition("/")[0]) for line in clusters.lines())
    assert set(effects) == set(jobs)
    # Of what each worker was at when the server died, nobody knows more than that it may run again.
    assert sum(effects.values()) - JOBS <= CRASHES * int(clusters.site.env["SOCIALQ_WORKERS"])
    unfinished = "SELECT COUNT(*) FROM queue_app_job WHERE type = 'testapp.trace' AND state <> 'completed'"
    assert clusters.count(unfinished) == 0
    assert descendants(main.pid) == processes


def test_terminated_connections_are_made_anew(
    clusters: Clusters, own_postgres: PrivatePostgres, injected: Injected
) -> None:
    main = clusters.start()
    processes = descendants(main.pid)
    jobs = [clusters.note("before"), clusters.note("before too")]
    for _ in range(3):
        clusters.site.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        injected("every connection terminated")
        jobs.append(clusters.note("between"))
    for job in jobs:
        clusters.wait_for_state(job, "completed", GOES_ON_SECONDS)
    assert len(clusters.lines()) == 5
    assert descendants(main.pid) == processes


def test_a_cluster_stops_in_time_while_the_database_is_away(
    clusters: Clusters, own_postgres: PrivatePostgres, injected: Injected
) -> None:
    clusters.site.env["SOCIALQ_STOP_GRACE_SECONDS"] = "4"
    main = clusters.start()
    own_postgres.stop("immediate")
    injected("PostgreSQL stopped (immediate) and started")
    clusters.site.wait_until(lambda: away_is_noticed(clusters))
    main.terminate()
    assert main.wait(8) == 0
    own_postgres.start()  # the site's database is dropped after the test


def test_a_cluster_started_while_the_database_is_away_waits_for_it(
    clusters: Clusters, own_postgres: PrivatePostgres, injected: Injected
) -> None:
    job = clusters.note("from before")
    own_postgres.stop("fast")
    injected("PostgreSQL stopped (fast) and started")
    clusters.site.spawn("qcluster")
    clusters.site.wait_until(lambda: clusters.site.log.exists() and away_is_noticed(clusters))
    own_postgres.start()
    clusters.wait_for_state(job, "completed", GOES_ON_SECONDS)
