"""``make faults``: every fault in rounds, on both databases, and the table of what came of it.

Bounded: no further round is begun when a database's share of the time is over, and what hangs is ended. The table goes
into docs/faults.md with the commit that was tested.
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
# Of a database's time, what is kept for the tests that are under way when the time for rounds is over.
LAST_TEST_SHARE = 0.2
# Of it again, what a run that is being ended has to stop its sites.
END_SECONDS = 60


@dataclass
class Row:
    """What was done, and what came of it, in the tests of one row on one database."""

    injected: Counter[str] = field(default_factory=Counter)
    tests: int = 0
    violations: int = 0
    seconds: float = 0.0


Found = dict[tuple[str, str], Row]


def main() -> int:
    """Run the tests and write the table; return 1 if anything was violated or did not come to its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("FAULT_ROUNDS", ROUNDS)))
    parser.add_argument("--seconds", type=float, default=LIMIT_SECONDS, help="for both databases together")
    parser.add_argument("--no-table", action="store_true", help="leave docs/faults.md as it is")
    options = parser.parse_args()
    lines: list[dict[str, Any]] = []
    complete = True
    end = time.time() + options.seconds
    for number, database in enumerate(DATABASES):
        share = (end - time.time()) / (len(DATABASES) - number)
        with tempfile.TemporaryDirectory(prefix="socialq-faults-") as folder:
            log = Path(folder) / "log"
            log.touch()
            complete &= _run(database, options.rounds, share, log)
            lines += [json.loads(line) for line in log.read_text().splitlines()]
    found = gather(lines)
    text = "\n".join(table(found))
    print(text)  # noqa: T201 -- what it is run for
    if complete and not options.no_table:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text(), text, _commit()))
    return 0 if complete and not any(row.violations for row in found.values()) else 1


def gather(lines: Sequence[dict[str, Any]]) -> Found:
    """Return the rows by number and database from the lines that the tests wrote."""
    found: Found = {}
    for line in lines:
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


def with_table(document: str, text: str, commit: str) -> str:
    """Return the document with ``text`` between the markers. Raises ValueError where it has none."""
    before, begin, rest = document.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/faults.md has lost its markers: write {BEGIN} and {END} where the table belongs")
    return f"{before}{BEGIN}\nMeasured at commit {commit}.\n\n{text}\n{END}{after}"


def _run(database: str, rounds: int, seconds: float, log: Path) -> bool:
    """Run every fault on one database; say whether the tests came to their end in time."""
    environment = os.environ | {
        "FAULT_ROUNDS": str(rounds),
        "FAULTS_END_AT": str(time.time() + seconds * (1 - LAST_TEST_SHARE) - END_SECONDS),
        "FAULTS_LOG": str(log),
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-q", "-r", "fE", f"--db={database}", *TESTS]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        return process.wait(seconds - END_SECONDS) in (0, 1)
    except subprocess.TimeoutExpired:
        print(f"the tests on {DATABASES[database]} took too long and were ended")  # noqa: T201
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
