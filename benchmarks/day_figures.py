"""The day's benchmark as numbers: when its posts are due, and what is made of what became of them. Pure."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from benchmarks.report import DATABASE_NAMES, percentile

HOURS = 24
# How many of a day's posts fall into each hour, as a share of an average one: mornings, noons and evenings.
CURVE = (
    *(0.55, 0.45, 0.40, 0.40, 0.45, 0.60, 0.85, 1.15, 1.40, 1.50, 1.30, 1.20),
    *(1.50, 1.30, 1.15, 1.10, 1.15, 1.30, 1.50, 1.50, 1.30, 1.00, 0.80, 0.65),
)
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What a delivery says of itself: its account and key, when it was due, began and was out (seconds), its status."""

    account: int
    key: str
    due: float
    begun: float | None
    out: float | None
    status: str


@dataclass(frozen=True, slots=True)
class Day:
    """What was run: since when (seconds), how long it took in real seconds, and the workers of the four queues.

    ``revoked`` is the account whose login was withdrawn, from when, until it was reconnected.
    """

    begin: float
    seconds: float
    workers: int
    revoked: int
    revoked_from: float
    revoked_until: float

    @property
    def factor(self) -> float:
        """How many times as fast as a day its timetable is."""
        return 86_400 / self.seconds

    def hour(self, at: float) -> int:
        """Return the hour of the day at a moment; what comes after its end counts to the last."""
        return min(HOURS - 1, max(0, int((at - self.begin) / self.seconds * HOURS)))

    def held(self, told: Told) -> bool:
        """Say whether the post was kept by the revoked login."""
        return told.account == self.revoked and self.revoked_from <= told.due <= self.revoked_until


def busiest_pace(posts: int, seconds: float) -> float:
    """Return how many posts a second are due in the busiest hour of a day that takes ``seconds``."""
    return posts / seconds * max(CURVE) * HOURS / sum(CURVE)


def timetable(posts: int, seconds: float, seed: int) -> list[float]:
    """Return when the posts of a day are due, in real seconds from its begin, in order: by the curve, else random."""
    dice = random.Random(seed)  # noqa: S311 -- the same day in every run
    hours = dice.choices(range(HOURS), CURVE, k=posts)
    return sorted((hour + dice.random()) * seconds / HOURS for hour in hours)


def figures(day: Day, told: Sequence[Told], attempts: Iterable[tuple[float, float]], answers: Iterable[str]) -> Figures:
    """Return what the day was like. ``attempts`` are the times in which a worker was busy, ``answers`` the lines of the
    receiver's log. Raises SystemExit where nothing was published."""
    live = [one for one in told if one.status == "published" and one.out is not None]
    if not live:
        raise SystemExit("nothing was published: look into the site's log")
    free = [one for one in told if not day.held(one)]
    statuses = Counter(line.split()[2] for line in answers)
    accepted = Counter(tuple(line.split()[:2]) for line in answers if line.split()[2] == "200")
    busy = _busy(day, attempts)
    ended = [one.out for one in live if one.out is not None]
    late = [one.begun - one.due for one in free if one.begun is not None]
    whole = [one.out - one.due for one in free if one.out is not None]
    after = [one.out - day.revoked_until for one in told if day.held(one) and one.out is not None]
    return {
        "posts": len(told),
        "seconds": day.seconds,
        "factor": day.factor,
        "workers": day.workers,
        "published_percent": 100 * len(live) / len(told),
        "sent_twice": sum(number > 1 for number in accepted.values()),
        "differences": _differences(live, {event for _account, event in accepted}),
        "refused": statuses["503"],
        "most_waiting": max(_waiting(free).values()),
        "begun_p50_seconds": percentile(late, 50),
        "begun_p99_seconds": percentile(late, 99),
        "begun_most_seconds": max(late),
        "out_p50_seconds": percentile(whole, 50),
        "out_p99_seconds": percentile(whole, 99),
        "out_most_seconds": max(whole),
        "busy_percent": sum(busy) / HOURS,
        "busiest_percent": max(busy),
        "held_posts": sum(day.held(one) for one in told),
        "held_out_seconds": max(after, default=0.0),
        "overtime_seconds": max(ended) - day.begin - day.seconds,
        "hours": _hours(day, told, free, busy),
    }


def _differences(live: Iterable[Told], events: set[str]) -> int:
    """Count the posts that only the site, or only the receiver, says are out."""
    return len({f"msg_{one.key}" for one in live} ^ events)


def _waiting(told: Iterable[Told]) -> Mapping[float, int]:
    """Return how many were due and had not begun, at each moment at which that changed."""
    # Who begins as another comes due has made room for it.
    steps = sorted(
        step for one in told for step in ((one.due, 1), *(((max(one.due, one.begun), -1),) if one.begun else ()))
    )
    return dict(zip((at for at, _step in steps), accumulate(step for _at, step in steps), strict=True))


def _busy(day: Day, attempts: Iterable[tuple[float, float]]) -> list[float]:
    """Return for each hour which share of the workers' time was spent in jobs, in per cent."""
    length = day.seconds / HOURS
    spent = [0.0] * HOURS
    for begun, ended in attempts:
        for hour in range(day.hour(begun), day.hour(ended) + 1):
            start = day.begin + hour * length
            spent[hour] += max(0.0, min(ended, start + length) - max(begun, start))
    return [100 * seconds / (day.workers * length) for seconds in spent]


def _hours(day: Day, told: Sequence[Told], free: Sequence[Told], busy: Sequence[float]) -> list[Figures]:
    deepest = [0] * HOURS
    for at, depth in _waiting(free).items():
        deepest[day.hour(at)] = max(deepest[day.hour(at)], depth)
    rows = []
    for hour in range(HOURS):
        due = [one for one in told if day.hour(one.due) == hour]
        mine = [one for one in due if not day.held(one)]
        late = [one.begun - one.due for one in mine if one.begun is not None]
        whole = [one.out - one.due for one in mine if one.out is not None]
        published = sum(one.status == "published" for one in due)
        rows.append(
            {
                "posts": len(due),
                "most_waiting": deepest[hour],
                "begun_p99_seconds": percentile(late, 99) if late else None,
                "out_p99_seconds": percentile(whole, 99) if whole else None,
                "published_percent": 100 * published / len(due) if due else None,
                "busy_percent": busy[hour],
            }
        )
    return rows


# The title, the target in words, the figure's name, and how it is written.
ROWS = (
    ("posts", "10,000", "posts", "{:,}"),
    ("seconds that the day took", "", "seconds", "{:,.0f}"),
    ("workers", "", "workers", "{:,}"),
    ("most that were due and waited", "under 100", "most_waiting", "{:,}"),
    ("due → begun p50, s", "", "begun_p50_seconds", "{:,.2f}"),
    ("due → begun p99, s", "", "begun_p99_seconds", "{:,.2f}"),
    ("due → begun, longest, s", "", "begun_most_seconds", "{:,.1f}"),
    ("due → published p50, s", "", "out_p50_seconds", "{:,.1f}"),
    ("due → published p99, s", "", "out_p99_seconds", "{:,.1f}"),
    ("due → published, longest, s", "under 300", "out_most_seconds", "{:,.1f}"),
    ("published, %", "over 99", "published_percent", "{:.2f}"),
    ("workers busy in the busiest hour, %", "70 to 90", "busiest_percent", "{:.0f}"),
    ("workers busy over the whole day, %", "", "busy_percent", "{:.0f}"),
    ("posts that were written too late for their time", "0", "written_late", "{:,}"),
    ("answers that were a 503", "about 2 %", "refused", "{:,}"),
    ("posts that waited for the revoked account", "", "held_posts", "{:,}"),
    ("all of them out after reconnecting, s", "", "held_out_seconds", "{:,.1f}"),
    ("accepted twice by the network", "0", "sent_twice", "{:,}"),
    ("posts on which site and network differ", "0", "differences", "{:,}"),
)
HOUR_ROWS = (
    ("posts", "posts", "{:,}"),
    ("most waiting", "most_waiting", "{:,}"),
    ("begun p99, s", "begun_p99_seconds", "{:,.2f}"),
    ("published p99, s", "out_p99_seconds", "{:,.1f}"),
    ("published, %", "published_percent", "{:.1f}"),
    ("busy, %", "busy_percent", "{:.0f}"),
)


def table(runs: Sequence[Figures]) -> list[list[str]]:
    """Return the figures beside their targets: a line of headings, then a line a figure, a column for each database."""
    heading = ["", "target", *(DATABASE_NAMES[run["database"]] for run in runs)]
    return [
        heading,
        *([title, target, *(shown.format(run[name]) for run in runs)] for title, target, name, shown in ROWS),
    ]


def hours_table(run: Figures) -> list[list[str]]:
    """Return a line for each hour of one run."""
    lines = [["hour", *(title for title, _name, _shown in HOUR_ROWS)]]
    for hour, row in enumerate(run["hours"]):
        cells = ("–" if row[name] is None else shown.format(row[name]) for _title, name, shown in HOUR_ROWS)
        lines.append([f"{hour}:00", *cells])
    return lines
