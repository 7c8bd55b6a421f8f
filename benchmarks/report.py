"""Turns what was measured into tables: ``python -m benchmarks.report`` writes the one of docs/performance.md.

Reads ``benchmarks/results/engine.json`` and nothing else, so that no figure in the docs is written by hand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.origin import told
from benchmarks.queues import OURS, ROOT

RESULTS = ROOT / "benchmarks" / "results" / "engine.json"
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
DATABASE_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

Result = Mapping[str, Any]
# One queue on one database: the figures of every run, by measurement.
Runs = Mapping[str, Sequence[Mapping[str, float | None]]]


class ReportError(Exception):
    """The result or the document is not what a table can be made of; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: which figure of which measurement, and the words for ``None``."""

    title: str
    measure: str
    name: str
    places: int = 0
    more_is_better: bool = True
    absent: str = "–"


FIGURES: tuple[Figure, ...] = (
    Figure("drain, jobs a second", "drain", "jobs_a_second"),
    Figure("drain beside jobs that are not due, jobs a second", "crowd", "jobs_a_second"),
    Figure("the second as a share of the first", "crowd", "share", 2),
    Figure("idle pick-up p50, ms", "pickup", "p50_ms", 1, more_is_better=False),
    Figure("idle pick-up p99, ms", "pickup", "p99_ms", 1, more_is_better=False),
    Figure("lateness of a scheduled job p50, ms", "lateness", "p50_ms", 1, more_is_better=False, absent="too late"),
    Figure("lateness of a scheduled job p99, ms", "lateness", "p99_ms", 1, more_is_better=False, absent="too late"),
    Figure("kill -9 of a worker in a job → runs again, s", "kill", "seconds", 1, more_is_better=False, absent="lost"),
    Figure("kill -9 of a machine → runs elsewhere, s", "machine", "seconds", 1, more_is_better=False, absent="lost"),
    Figure("enqueue one by one, jobs a second", "enqueue", "one_a_second"),
    Figure("enqueue in bulk, jobs a second", "enqueue", "many_a_second", absent="no bulk"),
    Figure("memory of two workers (PSS), MB", "pickup", "memory_mb", more_is_better=False),
)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least ``percent`` per cent of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def middle(runs: Runs, measure: str, name: str) -> float | None:
    """Return the median of a figure over the runs; ``None`` where it was not measured or a run has none."""
    if name == "share":
        with_crowd, without = middle(runs, "crowd", "jobs_a_second"), middle(runs, "drain", "jobs_a_second")
        return with_crowd / without if with_crowd is not None and without else None
    values = [run.get(name) for run in runs.get(measure, ())]
    numbers = [value for value in values if value is not None]
    return median(numbers) if numbers and len(numbers) == len(values) else None


def times_better(figure: Figure, ours: float | None, peer: float | None) -> float | None:
    """Return by which factor ours is better than a peer: 2 is twice as fast, 0.5 half as fast."""
    if not ours or not peer:
        return None
    return ours / peer if figure.more_is_better else peer / ours


def rows(result: Result, database: str) -> list[list[str]]:
    """Return one table: a line of headings, then one line a figure; beside each peer's figure how ours compares."""
    queues: Mapping[str, Runs] = result["databases"][database]
    table = [["", *queues]]
    for figure in FIGURES:
        measured = {name: runs for name, runs in queues.items() if runs.get(figure.measure)}
        if not measured or (figure.name == "share" and "drain" not in measured.get(OURS, {"drain": ()})):
            continue
        ours = middle(queues[OURS], figure.measure, figure.name) if OURS in queues else None
        cells = [_cell(figure, runs, None if name == OURS else ours) for name, runs in queues.items()]
        table.append([figure.title, *cells])
    return table


def plain(result: Result) -> str:
    """Return everything that was measured as text for a terminal."""
    parts = [aligned(rows(result, database), DATABASE_NAMES[database]) for database in result["databases"]]
    return "\n\n".join([*parts, *_notes(result)])


def markdown(result: Result) -> str:
    """Return everything that was measured for the docs."""
    databases: Sequence[str] = result["databases"]
    parts = [f"### {DATABASE_NAMES[database]}\n\n{ruled(rows(result, database))}" for database in databases]
    settings = "\n".join(
        f"| {name} | {told['version']} | {told['settings']} |" for name, told in result["queues"].items()
    )
    parts.append(f"| queue | version | settings |\n| --- | --- | --- |\n{settings}")
    return "\n\n".join([*parts, *_notes(result)])


def aligned(table: Sequence[Sequence[str]], title: str) -> str:
    """Return a table as text for a terminal, with ``title`` in its first cell."""
    table = [[title, *table[0][1:]], *table[1:]]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]

    def align(index: int, cell: str) -> str:
        return cell.rjust(widths[index]) if index else cell.ljust(widths[index])

    return "\n".join("  ".join(align(index, cell) for index, cell in enumerate(line)).rstrip() for line in table)


def ruled(table: Sequence[Sequence[str]]) -> str:
    """Return a table of figures for the docs."""
    heading, *lines = table
    every = [heading, ["---", *("---:" for _ in heading[1:])], *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def write_document(result: Result, document: Path = DOCUMENT) -> None:
    """Put the tables between the document's two markers; raise ReportError if those are missing."""
    put_between(document, BEGIN, END, markdown(result))


def put_between(document: Path, begin: str, end: str, text: str) -> None:
    """Put ``text`` between two lines of a document; raise ReportError if those are missing."""
    before, found, rest = document.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ReportError(f"{document} needs the lines {begin} and {end}, in this order")
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Write the document from the stored result."""
    if not RESULTS.exists():
        raise SystemExit(f"{RESULTS} is missing: run make bench first")
    write_document(json.loads(RESULTS.read_text(encoding="utf-8")))


def _cell(figure: Figure, runs: Runs, ours: float | None) -> str:
    value = middle(runs, figure.measure, figure.name)
    if not runs.get(figure.measure):
        return "–"
    if value is None:
        return "broken" if _is_broken(runs, figure) else figure.absent
    better = times_better(figure, ours, value)
    return f"{value:,.{figure.places}f}" + (f" ({_factor(better)}×)" if better is not None else "")


def _is_broken(runs: Runs, figure: Figure) -> bool:
    return any("broken" in run for run in runs[figure.measure])


def _factor(better: float) -> str:
    return f"{better:,.0f}" if better >= 10 else f"{better:.2g}"


def _commits(kind: str, rates: Sequence[float]) -> str:
    told = " and ".join(f"{rate:,.0f}" for rate in rates)
    return f"One connection alone commits one small row after another {told} times a second on {DATABASE_NAMES[kind]}."


def _notes(result: Result) -> list[str]:
    """Return what must be known beside the figures: where they come from and what went wrong."""
    scale = result["scale"]
    origin = (
        f"Medians of {result['runs']} runs {told(result)}. The factor in brackets says how many times better "
        f"ours is. Not due: {scale['crowd']:,} jobs. Lost: not run again in {scale['kill_patience_seconds']:g} s. "
        f"Too late: not begun in {scale['lateness_patience_seconds']:g} s."
    )
    lines = [origin, *(_commits(kind, rates) for kind, rates in result["commits_a_second"].items())]
    if result["quick"]:
        lines.append("A quick run with small numbers: it shows that everything works, its figures mean little.")
    return lines + [f"{problem}." for problem in result["problems"]]


if __name__ == "__main__":
    main()
