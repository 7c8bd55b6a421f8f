"""``make faults``: every fault in rounds, on both databases, and the table of what came of it.

First every test once in its long form on both databases, then the short form again and again while there is time: no
further test is begun when a database's share of it is over, and what hangs is ended. The table goes into docs/faults.md
with the commit that was tested, where the long form came to its end on both.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- injected: begin -->", "<!-- injected: end -->"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
TESTS = ("tests/faults", "tests/queue_app/test_state_machine.py")
ROUNDS = 20
LIMIT_SECONDS = 30 * 60
# Of a run's time, what is kept for the test that is under way when the time for further ones is over.
LAST_TEST_SECONDS = 100
# Of it again, what a run that is being ended has to stop its sites.
END_SECONDS = 60
# Less time than this is not worth another run.
LEAST_SECONDS = LAST_TEST_SECONDS + END_SECONDS + 60


@dataclass
class Row:
    """What was done, and what came of it, in the tests of one row on one database."""

    injected: Counter[str] = field(default_factory=Counter)
    tests: int = 0
    violations: int = 0
    seconds: float = 0.0


Found = dict[tuple[str, str], Row]


@dataclass(frozen=True)
class Run:
    """One run of all tests on one database: once in the long form, or in ``rounds`` of the short one."""

    database: str
    long: bool
    rounds: int = 1


def main() -> int:
    """Run the tests and write the table; return 1 if anything was violated or did not come to its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="at most so many, of which the first is the long form"
    )
    parser.add_argument("--short", action="store_true", help="leave the long form out; makes no table")
    parser.add_argument("--seconds", type=float, default=LIMIT_SECONDS, help="for both databases together")
    parser.add_argument("--no-table", action="store_true", help="leave docs/faults.md as it is")
    options = parser.parse_args()
    if options.short and not options.no_table:
        parser.error("the table needs the long form: leave --short out, or add --no-table")
    started = time.time()
    lines, complete = _run_all(runs(options.rounds, short=options.short), started + options.seconds)
    found = gather(lines)
    text = "\n".join([head(lines, _commit(), (time.time() - started) / 60), "", *table(found)])
    print(text)  # noqa: T201 -- what it is run for
    if complete and not options.no_table:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text(), text))
    return 0 if complete and not any(row.violations for row in found.values()) else 1


def runs(rounds: int, *, short: bool) -> list[Run]:
    """Return the runs in their order: the long ones come first, on both databases."""
    long = [] if short else [Run(database, long=True) for database in DATABASES]
    more = rounds if short else rounds - 1
    return long + [Run(database, long=False, rounds=more) for database in DATABASES if more > 0]


def head(lines: Sequence[dict[str, Any]], commit: str, minutes: float) -> str:
    """Return what stands over the table: the commit, how long it took, the form and the rounds on each database."""
    done = []
    for database, name in DATABASES.items():
        own = [line for line in lines if line["database"] == database and "round" in line]
        long = "the long form once" if any(line["long"] for line in own) else "no long form"
        begun = {line["round"] for line in own if not line["long"]}
        whole = begun - {line["round"] for line in own if "left_out" in line}
        done.append(f"{name}: {long}, then {len(whole)} whole rounds of the short form")
    return f"Measured at commit {commit}, in {minutes:.0f} minutes. {'. '.join(done)}."


def gather(lines: Sequence[dict[str, Any]]) -> Found:
    """Return the rows by number and database from the lines that the tests wrote."""
    found: Found = {}
    for line in lines:
        if "left_out" in line:
            continue
        row = found.setdefault((str(line["row"] or "–"), line["database"]), Row())
        if "injected" in line:
            row.injected[line["injected"]] += line["times"]
        else:
            row.tests += 1
            row.violations += line["ended"] != "passed"
            row.seconds += line["seconds"]
    return found


def table(found: Found) -> list[str]:
    """Return the lines of the table: a line for each row of the faults and database."""
    lines = [
        "| row | database | what was injected, how often | tests run | violations | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for number, database in sorted(found, key=_place):
        row = found[number, database]
        injected = "<br>".join(f"{what}: {times:,}" for what, times in sorted(row.injected.items())) or "–"
        name = DATABASES[database]
        lines.append(f"| {number} | {name} | {injected} | {row.tests} | {row.violations} | {row.seconds:.0f} |")
    return lines


def _place(key: tuple[str, str]) -> tuple[bool, int, str, int]:
    number, database = key
    numbered = number.isdecimal()
    return not numbered, int(number) if numbered else 0, number, list(DATABASES).index(database)


def with_table(document: str, text: str) -> str:
    """Return the document with ``text`` between the markers. Raises ValueError where it has none."""
    before, begin, rest = document.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/faults.md has lost its markers: write {BEGIN} and {END} where the table belongs")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _run_all(planned: Sequence[Run], end: float) -> tuple[list[dict[str, Any]], bool]:
    """Return what the tests wrote, and whether each run that was begun came to its end in time."""
    complete = True
    with tempfile.TemporaryDirectory(prefix="socialq-faults-") as folder:
        log = Path(folder) / "log"
        log.touch()
        for number, run in enumerate(planned):
            alike = sum(other.long == run.long for other in planned[number:])
            share = (end - time.time()) / alike
            if run.long or share > LEAST_SECONDS:
                complete &= _run(run, share, log)
        return [json.loads(line) for line in log.read_text().splitlines()], complete


def _run(run: Run, seconds: float, log: Path) -> bool:
    """Run every fault on one database; say whether the tests came to their end in time."""
    environment = os.environ | {
        "FAULT_ROUNDS": str(run.rounds),
        "FAULTS_LONG": str(int(run.long)),
        "FAULTS_LOG": str(log),
    }
    if not run.long:
        environment["FAULTS_END_AT"] = str(time.time() + seconds - LAST_TEST_SECONDS - END_SECONDS)
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-q", "-r", "fE", f"--db={run.database}", *TESTS]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        return process.wait(seconds - END_SECONDS) in (0, 1)
    except subprocess.TimeoutExpired:
        print(f"the tests on {DATABASES[run.database]} took too long and were ended")  # noqa: T201
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return False


def _commit() -> str:
    """Return the commit that is checked out, and whether files differ from it."""
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
