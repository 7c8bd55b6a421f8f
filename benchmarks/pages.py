"""The admin's pages with 100,000 posts and 300,000 jobs: ``python -m benchmarks.pages``, or ``make bench-pages``.

A site of its own on each database, filled by a few statements; every list, the dashboard, the calendar and the pages
of single rows are asked for in one process, each list beside the stock admin's of the same model. Prints a table and
writes JSON; ``--write`` puts the stored result into docs/performance.md instead.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import origin
from benchmarks.queues import BOTH
from benchmarks.report import DATABASE_NAMES, DOCUMENT, RESULTS, aligned, put_between, ruled
from tests.postgres import PrivatePostgres, binaries
from tests.site import ROOT, Databases, PostgresDatabases, Site, SqliteDatabases, open_site

STORED = RESULTS.with_name("pages.json")
BEGIN, END = "<!-- pages: begin -->", "<!-- pages: end -->"
POSTS, JOBS, ROUNDS = 100_000, 300_000, 7
MOST_SECONDS, MOST_QUERIES = 1.0, 30

Figures = Mapping[str, Any]


def table(result: Figures, database: str) -> list[list[str]]:
    """Return one database's figures: a line of headings, then one line a page."""
    heading = ["", "median, s", "slowest, s", "queries", "stock admin, s", "queries"]
    return [heading, *(_line(figures) for figures in result["databases"][database])]


def over(result: Figures) -> list[str]:
    """Return each page that took too long or asked too much."""
    return [
        f"{DATABASE_NAMES[kind]}: {figures['url']} took {max(figures['seconds']):.2f} s, {figures['queries']} queries"
        for kind, pages in result["databases"].items()
        for figures in pages
        if max(figures["seconds"]) > MOST_SECONDS or figures["queries"] > MOST_QUERIES or figures["status"] != 200
    ]


def notes(result: Figures) -> str:
    """Return what must be known beside the figures."""
    too_much = over(result)
    verdict = "; ".join(too_much) if too_much else f"Every page is under {MOST_SECONDS:g} s and {MOST_QUERIES} queries"
    return (
        f"{result['posts']:,} posts and {result['jobs']:,} jobs with their attempts and events; {result['rounds']} "
        f"times each {origin.told(result)}, whose load was {result['load']:.1f} before. {verdict}."
    )


def markdown(result: Figures) -> str:
    """Return everything that was measured for the docs."""
    parts = [f"### {DATABASE_NAMES[database]}\n\n{ruled(table(result, database))}" for database in result["databases"]]
    return "\n\n".join([*parts, notes(result)])


def main() -> None:
    """Measure, print and store; or write the docs."""
    options = _options()
    if options.write:
        put_between(DOCUMENT, BEGIN, END, markdown(json.loads(STORED.read_text(encoding="utf-8"))))
        return
    result: dict[str, Any] = {
        "commit": origin.commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "posts": options.posts,
        "jobs": options.jobs,
        "rounds": options.rounds,
        "machine": origin.machine(),
        "load": os.getloadavg()[0],
        "databases": {},
    }
    for kind in options.databases:
        if kind == "postgresql" and binaries() is None:
            print("PostgreSQL is not installed, not measured", file=sys.stderr)
            continue
        with _filled(kind, options.posts, options.jobs) as site:
            result["databases"][kind] = json.loads(_archive(site, "look", str(options.rounds)))
        print(f"{aligned(table(result, kind), DATABASE_NAMES[kind])}\n")
    print(notes(result))
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _filled(kind: str, posts: int, jobs: int) -> Iterator[Site]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="socialq-pages-")))
        site = stack.enter_context(open_site(stack.enter_context(_databases(kind, folder)), "pages", folder))
        site.env["SOCIALQ_ADMIN_PASSWORD"] = "measured"  # noqa: S105 - of a site that is gone after this
        _archive(site, "fill", str(posts), str(jobs))
        yield site


@contextmanager
def _databases(kind: str, folder: Path) -> Iterator[Databases]:
    if kind == "sqlite":
        yield SqliteDatabases(folder)
        return
    server = PrivatePostgres(durable=True)
    try:
        server.start()
        yield PostgresDatabases(server, folder, "pages")
    finally:
        server.close()


def _archive(site: Site, *args: str) -> str:
    command = [sys.executable, "-m", "benchmarks.archive", *args]
    with site.log.open("a") as log:
        done = subprocess.run(
            command, cwd=ROOT, env=site.env, stdout=subprocess.PIPE, stderr=log, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(site.log.read_text(encoding="utf-8")[-3000:])
    return done.stdout


def _line(figures: Figures) -> list[str]:
    stock = figures.get("stock")
    beside: Sequence[str] = (f"{median(stock['seconds']):.3f}", f"{stock['queries']}") if stock else ("–", "–")
    shown = figures["url"].removeprefix("/admin/") or "index"
    own = (f"{median(figures['seconds']):.3f}", f"{max(figures['seconds']):.3f}", f"{figures['queries']}")
    return [shown, *own, *beside]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--posts", type=int, default=POSTS, help="(default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=JOBS, help="in all (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each page (default: %(default)s)")
    parser.add_argument("--databases", type=lambda text: text.split(","), default=list(BOTH), help="(default: both)")
    parser.add_argument("--json", type=Path, default=STORED, help="where to write (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="put the stored result into docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
