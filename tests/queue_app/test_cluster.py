from __future__ import annotations

from typing import Any

import pytest
from django_q.conf import Conf

from queue_app import cluster
from queue_app.cluster import JobCluster, Plan
from tests.faults.clusters import Clusters, descendants
from tests.site import Site


@pytest.fixture
def clusters(site: Site) -> Clusters:
    return Clusters(site)


def test_run_once_does_what_is_due_and_ends(clusters: Clusters) -> None:
    done = [clusters.note(str(number)) for number in range(5)]
    later = clusters.enqueue("testapp.note", args={"file": str(clusters.notes), "line": "later"}, queue="later")
    assert clusters.site.manage("qcluster", "--run-once").returncode == 0
    assert [clusters.state(job) for job in done] == ["completed"] * 5
    assert clusters.state(later) == "pending"
    assert clusters.site.manage("qcluster", "--run-once", "--name", "later").returncode == 0
    assert clusters.state(later) == "completed"


def test_jobs_and_ordinary_tasks_and_schedules_are_all_run(clusters: Clusters) -> None:
    notes = str(clusters.notes)
    clusters.site.do(
        "from django_q.tasks import async_task, schedule\n"
        f"async_task('tests.testapp.jobs.append', {notes!r}, 'task')\n"
        f"schedule('tests.testapp.jobs.append', {notes!r}, 'schedule')"
    )
    clusters.note("job")
    clusters.start()
    clusters.site.wait_until(lambda: sorted(clusters.lines()) == ["job", "schedule", "task"])
    saved = "SELECT COUNT(*) FROM django_q_task WHERE success"
    clusters.site.wait_until(lambda: clusters.count(saved) == 2)
    clusters.site.wait_until(lambda: clusters.count("SELECT COUNT(*) FROM django_q_ormq") == 0)


def test_works_on_a_host_without_q_cluster(clusters: Clusters) -> None:
    clusters.site.env["DJANGO_SETTINGS_MODULE"] = "tests.testapp.no_q_cluster"
    job = clusters.enqueue("testapp.task", args={"file": str(clusters.notes), "line": "from a task of a job"})
    clusters.start()
    clusters.wait_for_state(job, "completed")
    clusters.site.wait_until(lambda: clusters.lines() == ["from a task of a job"])


def test_a_host_with_another_broker_runs_jobs_by_the_workers_command(clusters: Clusters) -> None:
    clusters.site.env["DJANGO_SETTINGS_MODULE"] = "tests.testapp.other_broker"
    job = clusters.note("by workers")
    stock = clusters.site.manage("qcluster", "--run-once", check=False)
    assert "run manage.py workers for jobs" in stock.stderr
    assert clusters.state(job) == "pending"
    assert clusters.site.manage("workers", "--run-once").returncode == 0
    assert clusters.lines() == ["by workers"]


def test_recycled_and_timed_out_workers_are_replaced_in_the_same_cluster(clusters: Clusters) -> None:
    clusters.site.env["DJANGO_SETTINGS_MODULE"] = "tests.testapp.recycling"
    main = clusters.start()
    sentinel = descendants(main.pid)[0]
    clusters.site.do("from django_q.tasks import async_task\nasync_task('time.sleep', 60)")
    for number in range(4):
        clusters.wait_for_state(clusters.note(str(number)), "completed")
    clusters.site.wait_until(lambda: clusters.count("SELECT COUNT(*) FROM django_q_task WHERE NOT success") == 1)
    clusters.wait_for_state(clusters.note("after the timeout"), "completed")
    assert descendants(main.pid)[0] == sentinel
    assert b"its sentinel" not in clusters.site.log.read_bytes()


def test_the_workers_of_an_idle_cluster_are_seen_to_live_until_it_stops(clusters: Clusters) -> None:
    main = clusters.start()
    assert len(clusters.worker_pids()) == 2
    assert set(clusters.worker_pids()) <= set(descendants(main.pid))
    main.terminate()
    assert main.wait(15) == 0
    assert clusters.worker_pids() == []


@pytest.mark.parametrize(
    ("conf", "other"),
    [
        ({}, False),
        ({"ORM": "default"}, False),
        ({"BROKER_CLASS": "queue_app.broker.JobBroker"}, False),
        ({"BROKER_CLASS": "host.Broker", "ORM": "default"}, True),
        ({"REDIS": {"host": "127.0.0.1"}}, True),
        ({"REDIS": {"host": "127.0.0.1"}, "ORM": "default"}, False),
        ({"SQS": {"aws_region": "x"}, "ORM": "default"}, True),
        ({"MONGO": {"host": "127.0.0.1"}}, True),
    ],
)
def test_knows_which_broker_django_q_would_use(
    monkeypatch: pytest.MonkeyPatch, conf: dict[str, Any], other: bool
) -> None:
    for name in ("ORM", "BROKER_CLASS", "SQS", "IRON_MQ", "MONGO", "DJANGO_REDIS"):
        monkeypatch.setattr(Conf, name, conf.get(name))
    monkeypatch.setattr(Conf, "REDIS", conf.get("REDIS", {}))
    assert cluster.names_other_broker() is other


@pytest.mark.parametrize(
    ("name", "queue", "list_key"),
    [("default", "default", "site"), ("site", "default", "site"), ("slow", "slow", "slow")],
)
def test_the_default_queue_goes_with_the_hosts_own_tasks(
    monkeypatch: pytest.MonkeyPatch, name: str, queue: str, list_key: str
) -> None:
    monkeypatch.setattr(Conf, "PREFIX", "site")
    (chosen,) = JobCluster([Plan(name, 1)])._clusters
    assert (chosen.queue, chosen.list_key) == (queue, list_key)
