"""Show how the queue stands: jobs by state, priority and queue, workers, the last hour."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from queue_app.management.base import OneLineCommand
from queue_app.states import JobState
from queue_app.stats import statistics

QUEUE_COLUMNS = ("pending", "due", "running", "parked")


class Command(OneLineCommand):
    """Print the statistics as tables; with --json as one object."""

    help = "Count the jobs in every state, by priority and by queue; the workers; how the last hour went."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare --json."""
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the statistics."""
        numbers = statistics()
        self.stdout.write(json.dumps(numbers) if options["json"] else "\n".join(_lines(numbers)))


def _lines(numbers: dict[str, Any]) -> list[str]:
    states = [*JobState.values, "total"]
    rows = [f"{name:<10} {numbers[name]:>8}" for name in states]
    rows.append(f"{'workers':<10} {numbers['workers_active']:>8} ({numbers['workers_busy']} busy)")
    rows += _queues(numbers["by_queue"])
    waiting = {priority: number for priority, number in numbers["by_priority"].items() if number}
    if waiting:
        rows += ["", "pending by priority: " + ", ".join(f"{name}: {number}" for name, number in waiting.items())]
    return [*rows, "", *_last_hour(numbers)]


def _queues(by_queue: dict[str, dict[str, int]]) -> list[str]:
    if not by_queue:
        return []
    width = max(len("queue"), *map(len, by_queue))
    rows = ["", f"{'queue':<{width}}" + "".join(f" {column:>8}" for column in QUEUE_COLUMNS)]
    for queue, numbers in by_queue.items():
        rows.append(f"{queue:<{width}}" + "".join(f" {numbers[column]:>8}" for column in QUEUE_COLUMNS))
    return rows


def _last_hour(numbers: dict[str, Any]) -> list[str]:
    rate, mean, oldest = (numbers[name] for name in ("success_rate", "mean_run_seconds", "oldest_due_seconds"))
    said = f"last hour: {numbers['completed_last_hour']} completed, {numbers['failed_last_hour']} failed"
    said += f" ({rate:.1%} succeeded)" if rate is not None else ""
    rows = [said + (f", {mean:.3g} s an attempt" if mean is not None else "")]
    return rows if oldest is None else [*rows, f"the longest waiting job has been due for {oldest:.1f} s"]
