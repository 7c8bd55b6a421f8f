"""Which queues are compared, on which databases, and how each is set. The harness knows nothing else of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = "socialq"
BOTH = ("sqlite", "postgresql")
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue. ``processes`` is how many consumers make two workers. ``bulk`` says that it can add many at once.

    ``waits`` names the measurements in which it takes so long that it is measured side by side with others.
    """

    name: str
    module: str
    databases: tuple[str, ...]
    settings: str
    processes: int = 1
    bulk: bool = True
    waits: frozenset[str] = frozenset({"kill", "machine"})
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """The interpreter that has the queue installed."""
        return sys.executable if self.name == OURS else str(PEERS_PYTHON)


_Q2_WAITS = frozenset({"kill", "machine", "lateness"})

QUEUES: tuple[Queue, ...] = (
    Queue(
        OURS,
        "benchmarks.peers.ours",
        BOTH,
        "SOCIALQ_WORKERS=2, all else as it comes; keeps every job, attempt and event",
        waits=frozenset(),
        environment={"DJANGO_SETTINGS_MODULE": "benchmarks.host.settings", "SOCIALQ_WORKERS": "2"},
    ),
    Queue(
        "django-q2",
        "benchmarks.peers.django_q2",
        BOTH,
        "workers 2, all else as it comes (poll 0.2 s, retry 60 s, last 250 results kept); bulk: in one transaction",
        waits=_Q2_WAITS,
    ),
    Queue(
        "django-q2 tuned",
        "benchmarks.peers.django_q2",
        BOTH,
        "workers 2, poll 0.02 s, bulk 20, queue_limit 40, timeout 20 s, retry 25 s, no results kept",
        waits=_Q2_WAITS,
        environment={"BENCH_TUNED": "1"},
    ),
    Queue(
        "huey",
        "benchmarks.peers.huey_sqlite",
        ("sqlite",),
        "SqliteHuey(fsync=True), WAL, 2 worker processes, poll 0.02 to 0.1 s, scheduler every 1 s; no results kept",
        bulk=False,
    ),
    Queue(
        "procrastinate",
        "benchmarks.peers.procrastinate_pg",
        ("postgresql",),
        "2 worker processes, async task, LISTEN, poll 1 s, stalled jobs retried every minute as its guide shows",
        processes=2,
    ),
    Queue(
        "pgqueuer",
        "benchmarks.peers.pgqueuer_pg",
        ("postgresql",),
        "2 worker processes, asyncpg, uvloop, batch_size 100, heartbeat_timeout 30 s as it comes",
        processes=2,
    ),
    Queue(
        "django-tasks-db",
        "benchmarks.peers.django_tasks_db",
        BOTH,
        "2 worker processes, interval 0.05 s; bulk: in one transaction",
        processes=2,
    ),
)
