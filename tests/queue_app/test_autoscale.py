from __future__ import annotations

from datetime import timedelta

import pytest

from queue_app import api, autoscale, clock
from queue_app.autoscale import Bounds, Scaler, wished_workers
from queue_app.board import Board, Place
from tests.faults.clusters import Clusters
from tests.queue_app.jobs import Register
from tests.site import Site

TABLE = Bounds(up_over=500, down_under=50, least=1, most=20)


@pytest.mark.parametrize(
    ("waiting", "workers", "quiet_looks", "wished"),
    [
        (501, 1, 0, 2),
        (501, 3, 0, 6),
        (10**6, 11, 0, 20),
        (10**6, 20, 0, 20),
        (500, 4, 0, 4),
        (50, 4, 0, 4),
        (49, 4, 1, 4),
        (49, 4, 2, 3),
        (0, 2, 7, 1),
        (0, 1, 2, 1),
        (200, 30, 0, 20),
    ],
)
def test_workers_double_over_500_waiting_and_leave_singly_under_50(
    waiting: int, workers: int, quiet_looks: int, wished: int
) -> None:
    assert wished_workers(waiting, workers, TABLE, quiet_looks=quiet_looks) == wished


def test_a_backlog_that_comes_and_goes_keeps_its_workers() -> None:
    scaler, workers = Scaler(TABLE), 4
    for waiting in (49, 50, 10, 400, 0, 60):
        workers = scaler.look(waiting, workers)
    assert workers == 4
    for _ in range(5):
        workers = scaler.look(0, workers)
    assert workers == 1


@pytest.mark.parametrize(
    "bounds", [(50, 500, 1, 20), (500, 50, 0, 20), (500, 50, 5, 4), (500, 50, 1, autoscale.MOST_WORKERS + 1)]
)
def test_bounds_that_contradict_each_other_are_refused(bounds: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="AUTOSCALE_"):
        Bounds(*bounds)


@pytest.mark.django_db
def test_counts_what_is_due_and_no_further_than_asked(register: Register) -> None:
    kind = register(lambda context: None)
    for number in range(7):
        api.enqueue(kind, queue="facebook", priority=1 + number % 3)
    api.enqueue(kind, queue="facebook", run_at=clock.now() + timedelta(seconds=60))
    api.enqueue(kind, queue="other")
    assert autoscale.count_waiting("facebook", 100) == 7
    assert autoscale.count_waiting("facebook", 5) == 5
    assert autoscale.count_waiting("nothing", 5) == 0


def test_a_worker_that_is_leaving_counts_only_while_it_works() -> None:
    board = Board(3, 2)
    for slot in range(3):
        board.place(slot, Place.STAYS)
    board.hand_out(2)
    board.start_task(0)
    board.start_task(1)
    assert (board.workers, board.idle, board.in_queue) == (3, 1, 0)
    board.place(0, Place.LEAVES)
    assert (board.workers, board.idle) == (3, 1)
    board.finish_task(0, fruitful=True)
    assert (board.workers, board.idle) == (2, 1)
    board.place(0, Place.FREE)
    assert (board.workers, board.idle, board.present, board.busy) == (2, 1, 2, 1)


def test_a_cluster_grows_with_its_backlog_and_shrinks_in_order_when_it_is_done(site: Site) -> None:
    clusters = Clusters(site)
    site.env |= {
        "SOCIALQ_AUTOSCALE_UP_OVER": "5",
        "SOCIALQ_AUTOSCALE_DOWN_UNDER": "2",
        "SOCIALQ_AUTOSCALE_MAX_WORKERS": "4",
        "SOCIALQ_AUTOSCALE_SECONDS": "0.2",
        "SOCIALQ_HEARTBEAT_SECONDS": "1",
    }
    go = site.directory / "go"
    many = {"file": str(clusters.notes), "until": str(go)}
    site.do(f"from queue_app import api\nfor _ in range(30): api.enqueue('testapp.wait', args={many!r})")
    main = site.spawn("workers", "--workers", "1", "--autoscale")
    site.wait_until(lambda: len(clusters.worker_pids()) == 4)
    site.wait_until(lambda: len(clusters.lines()) == 4)
    go.touch()
    site.wait_until(lambda: len(clusters.worker_pids()) == 1)
    assert clusters.lines().count("done") == 30
    clusters.wait_for_state(clusters.note("by the last one"), "completed")
    assert clusters.count("SELECT COUNT(*) FROM queue_app_attempt WHERE outcome <> 'completed'") == 0
    assert b" lost " not in site.log.read_bytes()
    main.terminate()
    assert main.wait(15) == 0


def test_a_worker_told_to_leave_finishes_its_job_first(site: Site) -> None:
    clusters = Clusters(site)
    site.env |= {"SOCIALQ_AUTOSCALE_SECONDS": "0.2", "SOCIALQ_HEARTBEAT_SECONDS": "1"}
    go = site.directory / "go"
    jobs = [clusters.enqueue("testapp.wait", args={"file": str(clusters.notes), "until": str(go)}) for _ in range(3)]
    site.spawn("workers", "--workers", "3", "--autoscale")
    site.wait_until(lambda: len(clusters.lines()) == 3)
    site.wait_until(lambda: b"wished=1" in site.log.read_bytes())
    assert [clusters.state(job) for job in jobs] == ["running"] * 3
    go.touch()
    site.wait_until(lambda: len(clusters.worker_pids()) == 1)
    assert [clusters.state(job) for job in jobs] == ["completed"] * 3
    assert clusters.lines().count("done") == 3
