"""A simulated day of 10,000 posts through the real publishing path: ``python -m benchmarks.day``, ``make bench-day``.

A site of its own with a cluster for each of four named queues, eight accounts, four processes that write posts by the
day's curve, and a network on this machine (``benchmarks.receiver``) that answers in 0.2 to 3 s, a fiftieth of the time
with a 503. One account's login is revoked for an hour of the day. Only the timetable is compressed: answers, waits
before a retry and everything else take as long as ever, so that there are as many times the workers.

What happened is read from the site's database and from the network's log afterwards. Prints tables and writes JSON,
where the last day of a database that is left out now stays; ``--write`` puts those into docs/performance.md instead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks import origin
from benchmarks.day_figures import Day, Figures, Told, busiest_pace, figures, hours_table, table, timetable
from benchmarks.queues import BOTH
from benchmarks.report import DATABASE_NAMES, DOCUMENT, RESULTS, aligned, put_between, ruled
from tests.postgres import PrivatePostgres, binaries
from tests.site import ROOT, Databases, PostgresDatabases, Site, SqliteDatabases, open_site

STORED = RESULTS.with_name("day.json")
BEGIN, END = "<!-- day: begin -->", "<!-- day: end -->"
QUEUES = ("facebook", "instagram", "linkedin", "threads")
ACCOUNTS, REVOKED = 8, 3
# Of a worker's time in the busiest hour, by the answers alone; retries and the queue's own work come to it.
WISHED_SHARE = 0.76
LOG_CHARACTERS = 5000
REVOKED_HOUR = 14
# From when all are ready to the day's begin: what is due at once is written before.
LEAD_SECONDS, AHEAD_SECONDS = 10.0, 5.0
START_SECONDS, SETTLE_SECONDS = 180.0, 300.0
REMARK = (
    "Nothing else is compressed: an answer takes 0.2 to 3 s, a lost one is looked up after 10 s, and all times above "
    "are real seconds. Retries are part of them. The revoked account's posts of that hour are not counted as waiting; "
    "they have a line of their own."
)
UNFINISHED = "SELECT 1 FROM posts_delivery WHERE status NOT IN ('published', 'failed', 'cancelled', 'expired') LIMIT 1"


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a day is run: posts, real seconds, and the network's answers.

    ``given_workers`` are of each queue, 0 for as many as the busiest hour needs.
    """

    posts: int
    seconds: float
    given_workers: int = 0
    answer_seconds: tuple[float, float] = (0.2, 3.0)
    transient: float = 0.02

    @property
    def workers(self) -> int:
        """The workers of each queue: busy for most of the busiest hour, if every answer takes its mean time."""
        busy = busiest_pace(self.posts, self.seconds) * sum(self.answer_seconds) / 2
        return self.given_workers or max(1, round(busy / WISHED_SHARE / len(QUEUES)))


FULL = Plan(posts=10_000, seconds=660.0)
QUICK = Plan(posts=300, seconds=60.0)


def run(site: Site, plan: Plan) -> Figures:
    """Run a day on a new site; return its figures."""
    site.env["SOCIALQ_ALLOW_PRIVATE_NETWORKS"] = "true"
    log = site.directory / "network.log"
    with _network(site, log, plan) as port:
        accounts = json.loads(_newsroom(site, "connect", f"http://127.0.0.1:{port}", str(ACCOUNTS)))
        site.spawn("workers", "--config", ",".join([*(f"{queue}={plan.workers}" for queue in QUEUES), "default=1"]))
        wished = len(QUEUES) * plan.workers + 1
        enlisted = "SELECT COUNT(*) FROM queue_app_worker WHERE stopped_at IS NULL"
        site.wait_until(lambda: site.sql(enlisted)[0][0] >= wished, START_SECONDS)
        writers = [
            _writer(site, queue, accounts[number :: len(QUEUES)], plan, seed=number)
            for number, queue in enumerate(QUEUES)
        ]
        begin = _begin(writers)
        day = _live_through(site, plan, begin, accounts[REVOKED], f"http://127.0.0.1:{port}/{REVOKED}")
        time.sleep(max(0.0, begin + plan.seconds - time.time()))
        late = sum(_late(site, writer) for writer in writers)
        site.wait_until(lambda: not site.sql(UNFINISHED), SETTLE_SECONDS)
    told = json.loads(_newsroom(site, "tell"))
    attempts = [(begun, ended) for queue, begun, ended in told["attempts"] if queue in QUEUES]
    deliveries = [Told(*row) for row in told["deliveries"]]
    return {"written_late": late, **figures(day, deliveries, attempts, log.read_text().splitlines())}


def notes(run: dict[str, Any]) -> str:
    """Return what must be known beside the figures of one day."""
    pace, share = run["posts"] / run["seconds"], run["workers"] / run["factor"]
    return (
        f"On {DATABASE_NAMES[run['database']]} the day took {run['seconds']:g} s: its timetable was "
        f"{run['factor']:,.0f} times as fast. Measured {origin.told(run)}, whose load was {run['load']:.1f} before. "
        f"{pace:.1f} posts a second and {run['workers']} workers stand for a day on which {share:.2f} workers would "
        f"be as busy; the queue itself works {run['factor']:,.0f} times as hard as on that day."
    )


def document(runs: Sequence[dict[str, Any]]) -> str:
    """Return what stands in docs/performance.md."""
    parts = [ruled(table(runs)), *map(notes, runs), REMARK]
    for run in runs:
        parts += [f"By the hour, on {DATABASE_NAMES[run['database']]}:", ruled(hours_table(run))]
    return "\n\n".join(parts)


def stored(path: Path) -> list[dict[str, Any]]:
    """Return the days that are stored, the last one of each database."""
    runs: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return runs


def main() -> None:
    """Measure, print and store; or write the docs."""
    options = _options()
    if options.write:
        put_between(DOCUMENT, BEGIN, END, document(stored(STORED)))
        return
    runs: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="socialq-day-")))
        for kind in options.database:
            if kind == "postgresql" and binaries() is None:
                print("PostgreSQL is not installed, not measured", file=sys.stderr)
                continue
            own = folder / f"{kind}-site"
            own.mkdir()
            where_from = {
                "database": kind,
                "commit": origin.commit(),
                "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": origin.machine(),
                "load": os.getloadavg()[0],
            }
            with _databases(kind, folder) as databases, open_site(databases, "day", own) as site:
                runs.append({**where_from, **run(site, _plan(options))})
            print(kind, {name: value for name, value in runs[-1].items() if name != "hours"}, file=sys.stderr)
    print(aligned(table(runs), "a day of 10,000 posts"))
    for measured in runs:
        print(f"\n{aligned(hours_table(measured), DATABASE_NAMES[measured['database']])}\n\n{notes(measured)}")
    print(f"\n{REMARK}")
    if options.json is not None:
        kept = {one["database"]: one for one in [*stored(options.json), *runs]}
        options.json.write_text(
            json.dumps([kept[name] for name in BOTH if name in kept], indent=1) + "\n", encoding="utf-8"
        )
    wrong = [run["database"] for run in runs if run["sent_twice"] or run["differences"]]
    if wrong:
        raise SystemExit(f"something was sent twice, or site and network differ: {', '.join(wrong)}")


@contextmanager
def _network(site: Site, log: Path, plan: Plan) -> Iterator[int]:
    """Run the receiver; its port."""
    log.touch()
    numbers = [str(number) for number in (*plan.answer_seconds, plan.transient)]
    command = [sys.executable, "-m", "benchmarks.receiver", str(log), *numbers]
    with (
        site.log.open("a") as said,
        subprocess.Popen(command, cwd=ROOT, env=site.env, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        try:
            port = process.stdout.readline() if process.stdout is not None else ""
            if not port:
                raise SystemExit(f"the network did not start: look into {site.log}")
            yield int(port)
        finally:
            process.kill()


def _writer(site: Site, queue: str, accounts: Sequence[int], plan: Plan, *, seed: int) -> subprocess.Popen[str]:
    """Start the process that writes a queue's share of the posts, for its accounts in turn."""
    moments = timetable(plan.posts // len(QUEUES), plan.seconds, seed)
    path = site.directory / f"{queue}.json"
    posts = [[at, accounts[number % len(accounts)]] for number, at in enumerate(moments)]
    path.write_text(json.dumps({"ahead_seconds": max(plan.seconds / 24, AHEAD_SECONDS), "posts": posts}))
    environment = {**site.env, "SOCIALQ_ROUTES": f"posts.publish={queue}"}
    command = [sys.executable, "-m", "benchmarks.newsroom", "write", str(path)]
    pipe = subprocess.PIPE
    with site.log.open("a") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True)


def _begin(writers: Sequence[subprocess.Popen[str]]) -> float:
    """Wait until all writers are ready, tell them when the day begins, and return it."""
    for writer in writers:
        if writer.stdout is None or writer.stdout.readline().strip() != "ready":
            raise SystemExit("a writer did not start: look into the site's log")
    begin = time.time() + LEAD_SECONDS
    for writer in writers:
        if writer.stdin is not None:
            writer.stdin.write(f"{begin}\n")
            writer.stdin.flush()
    return begin


def _late(site: Site, writer: subprocess.Popen[str]) -> int:
    """Wait for a writer's end, now that the day is over; return how many posts it was late with."""
    said, _ = writer.communicate(timeout=SETTLE_SECONDS)
    if writer.returncode:
        lines = site.log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = "\n".join(line for line in lines if " INFO " not in line)
        raise SystemExit(f"a writer ended with {writer.returncode}:\n{told[-LOG_CHARACTERS:]}")
    return int(said)


def _live_through(site: Site, plan: Plan, begin: float, account: int, url: str) -> Day:
    """Revoke an account's login for an hour of the day; return once it is reconnected. ``url`` is its address."""
    hour = plan.seconds / 24
    time.sleep(max(0.0, begin + REVOKED_HOUR * hour - time.time()))
    revoked_from = time.time()
    _ask("PUT", url)
    time.sleep(hour)
    _ask("DELETE", url)
    _newsroom(site, "reconnect", str(account), url)
    return Day(begin, plan.seconds, len(QUEUES) * plan.workers, account, revoked_from, time.time())


def _ask(method: str, url: str) -> None:
    with urlopen(Request(url, method=method), timeout=30):  # noqa: S310 -- our own receiver
        pass


@contextmanager
def _databases(kind: str, folder: Path) -> Iterator[Databases]:
    own = folder / kind
    own.mkdir()
    if kind == "sqlite":
        yield SqliteDatabases(own)
        return
    server = PrivatePostgres(durable=True)
    try:
        server.start()
        yield PostgresDatabases(server, own, "day")
    finally:
        server.close()


def _newsroom(site: Site, *args: str) -> str:
    command = [sys.executable, "-m", "benchmarks.newsroom", *args]
    with site.log.open("a") as log:
        done = subprocess.run(
            command, cwd=ROOT, env=site.env, stdout=subprocess.PIPE, stderr=log, text=True, check=True
        )
    return done.stdout


def _plan(options: argparse.Namespace) -> Plan:
    base = QUICK if options.quick else FULL
    return Plan(options.posts or base.posts, options.seconds or base.seconds, options.workers or 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.day", description=__doc__)
    parser.add_argument("--database", choices=BOTH, action="append", help="only this one (default: both)")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK.posts} posts in {QUICK.seconds:g} s, stored nowhere"
    )
    parser.add_argument("--posts", type=int, help=f"of the day (default: {FULL.posts:,})")
    parser.add_argument("--seconds", type=float, help=f"that the day takes (default: {FULL.seconds:g})")
    parser.add_argument(
        "--workers", type=int, help=f"of each queue (default: what the busiest hour needs, {FULL.workers})"
    )
    parser.add_argument("--json", type=Path, help=f"where to write (default: {STORED.name}; nowhere with --quick)")
    parser.add_argument("--write", action="store_true", help="put the stored result into docs/performance.md")
    options = parser.parse_args()
    options.database = options.database or list(BOTH)
    options.json = options.json or (None if options.quick else STORED)
    return options


if __name__ == "__main__":
    main()
