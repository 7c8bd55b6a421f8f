"""A day of 10,000 posts through the real publishing path: ``python -m benchmarks.day``, or ``make bench-day``.

A site of its own with one cluster and the built-in outbox; posts are written and scheduled meanwhile, at the day's
pace and as many times faster as is asked for. What happened is read from the site's database afterwards. Prints a table
and writes JSON; ``--write`` puts the stored result into docs/performance.md instead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks import origin
from benchmarks.queues import BOTH
from benchmarks.report import DATABASE_NAMES, DOCUMENT, RESULTS, aligned, percentile, put_between, ruled
from tests.postgres import PrivatePostgres, binaries
from tests.site import ROOT, Databases, PostgresDatabases, Site, SqliteDatabases, open_site

STORED = RESULTS.with_name("day.json")
BEGIN, END = "<!-- day: begin -->", "<!-- day: end -->"
POSTS_A_DAY, DAY_SECONDS = 10_000, 86_400
WORKERS, ACCOUNTS, WARM_UP = 2, 5, 20
SETTLE_SECONDS = 120.0
ROWS = (
    ("posts", "posts", "{:,}"),
    ("posts a day at this pace", "posts_a_day", "{:,.0f}"),
    ("published, %", "published_percent", "{:.1f}"),
    ("sent twice", "sent_twice", "{:,}"),
    ("most that were due and waited", "most_waiting", "{:,}"),
    ("due → begun p50, ms", "begun_p50_ms", "{:,.0f}"),
    ("due → begun p99, ms", "begun_p99_ms", "{:,.0f}"),
    ("due → published p50, ms", "published_p50_ms", "{:,.0f}"),
    ("due → published p99, ms", "published_p99_ms", "{:,.0f}"),
    ("the two workers were busy, %", "busy_percent", "{:.1f}"),
)

Figures = dict[str, float]
# When a delivery was due, began and ended (seconds since the epoch), its status, and how often the network took it.
Told = tuple[float, float | None, float | None, str, int]


def figures(told: Sequence[Told]) -> Figures:
    """Return what the day was like, by what its deliveries say of themselves."""
    begun = [(due, start) for due, start, *_rest in told if start is not None]
    live = [(due, start, end) for due, start, end, status, _ in told if start and end and status == "published"]
    if not live:
        raise SystemExit("nothing was published: look into the site's log")
    began_at, ended_at = min(due for due, *_rest in told), max(end for _due, _start, end in live)
    late = [1000 * (start - due) for due, start in begun]
    whole = [1000 * (end - due) for due, _start, end in live]
    # Who begins as another comes due has made room for it.
    steps = sorted([(due, 1) for due, *_rest in told] + [(max(due, start), -1) for due, start in begun])
    busy_seconds = sum(end - start for _due, start, end in live)
    span_seconds = max(due for due, *_rest in told) - began_at
    return {
        "posts": len(told),
        "posts_a_day": (len(told) - 1) * DAY_SECONDS / span_seconds,
        "published_percent": 100 * len(live) / len(told),
        "sent_twice": sum(arrived > 1 for *_rest, arrived in told),
        "most_waiting": max(accumulate(step for _at, step in steps)),
        "begun_p50_ms": percentile(late, 50),
        "begun_p99_ms": percentile(late, 99),
        "published_p50_ms": percentile(whole, 50),
        "published_p99_ms": percentile(whole, 99),
        "busy_percent": 100 * busy_seconds / WORKERS / (ended_at - began_at),
    }


def run(site: Site, pace: float, seconds: float) -> Figures:
    """Run a part of the day on a new site, ``pace`` times as fast as it is."""
    site.env["SOCIALQ_WORKERS"] = str(WORKERS)
    for number in range(ACCOUNTS):
        site.manage("connect_account", "outbox", "--name", f"Paper {number}", "--json")
    site.spawn("qcluster")
    _write(site, WARM_UP, 10.0)
    a_second = pace * POSTS_A_DAY / DAY_SECONDS
    _write(site, round(seconds * a_second), a_second)
    unfinished = "SELECT 1 FROM posts_delivery WHERE status IN ('scheduled', 'publishing') LIMIT 1"
    site.wait_until(lambda: not site.sql(unfinished), SETTLE_SECONDS)
    return figures([tuple(row) for row in json.loads(_newsroom(site, "tell"))[WARM_UP:]])


def table(result: dict[str, Any]) -> list[list[str]]:
    """Return the figures: a line of headings, then one line a figure, a column for each run."""
    runs = result["runs"]
    heading = ["", *(f"{DATABASE_NAMES[run['database']]}, {_times(run['pace'])}" for run in runs)]
    return [heading, *([title, *(shown.format(run[name]) for run in runs)] for title, name, shown in ROWS)]


def notes(result: dict[str, Any]) -> str:
    """Return what must be known beside the figures."""
    return (
        f"{result['seconds']:g} s a column {origin.told(result)}, whose load was {result['load']:.1f} before. "
        f"A post has one picture and one account of {ACCOUNTS}; the process that writes the posts runs beside "
        f"the {WORKERS} workers."
    )


def main() -> None:
    """Measure, print and store; or write the docs."""
    options = _options()
    if options.write:
        result = json.loads(STORED.read_text(encoding="utf-8"))
        put_between(DOCUMENT, BEGIN, END, f"{ruled(table(result))}\n\n{notes(result)}")
        return
    result = {
        "commit": origin.commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": options.seconds,
        "machine": origin.machine(),
        "load": os.getloadavg()[0],
        "runs": [],
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="socialq-day-")))
        for kind in BOTH:
            if kind == "postgresql" and binaries() is None:
                print("PostgreSQL is not installed, not measured", file=sys.stderr)
                continue
            databases = stack.enter_context(_databases(kind, folder))
            for pace in options.paces:
                own = folder / f"{kind}-{pace:g}"
                own.mkdir()
                with open_site(databases, f"day_{pace:g}".replace(".", "_"), own) as site:
                    measured = run(site, pace, options.seconds)
                result["runs"].append({"database": kind, "pace": pace, **measured})
                print(kind, pace, measured, file=sys.stderr)
    print(f"{aligned(table(result), 'a day of 10,000 posts')}\n\n{notes(result)}")
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


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


def _write(site: Site, count: int, a_second: float) -> None:
    _newsroom(site, "write", str(count), str(a_second))


def _newsroom(site: Site, *args: str) -> str:
    command = [sys.executable, "-m", "benchmarks.newsroom", *args]
    with site.log.open("a") as log:
        done = subprocess.run(
            command, cwd=ROOT, env=site.env, stdout=subprocess.PIPE, stderr=log, text=True, check=True
        )
    return done.stdout


def _times(pace: float) -> str:
    return "its own pace" if pace == 1 else f"{pace:g} times as fast"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.day", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=90.0, help="of writing, for each column (default: %(default)s)"
    )
    parser.add_argument("--paces", type=_paces, default=[1.0, 60.0], help="how many times as fast (default: 1,60)")
    parser.add_argument("--json", type=Path, default=STORED, help="where to write (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="put the stored result into docs/performance.md")
    return parser.parse_args()


def _paces(text: str) -> list[float]:
    return [float(pace) for pace in text.split(",")]


if __name__ == "__main__":
    main()
