"""The arithmetic of a forecast: when spans are over, and whose turn it is under a limit. No database, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from queue_app.limits import Rates

Span = tuple[datetime | None, datetime | None]
# Returns the span that holds at a moment, or else the next.
Recurring = Callable[[datetime], Span]

# So many spans that recur may follow one another without a gap; who meets more finds none in reasonable time.
MOST_RECURRING = 100


def past(at: datetime, spans: Sequence[Span], recurring: Sequence[Recurring] = ()) -> datetime | None:
    """Return the first moment from ``at`` on in none of ``spans``, ``None`` if one of them has no end.

    A span begins at its first time (``None``: long ago) and is over at its second (``None``: never). Of those that
    recur it is ``None``, too, if together they leave no gap.
    """
    for _ in range(len(spans) + MOST_RECURRING):
        met = [*spans, *(coming(at) for coming in recurring)]
        within = [end for start, end in met if (start is None or start <= at) and (end is None or end > at)]
        if not within:
            return at
        ends = [end for end in within if end is not None]
        if len(ends) < len(within):
            return None
        at = max(ends)
    return None


def turn(
    ready_at: datetime,
    before: Iterable[datetime],
    after: Iterable[datetime],
    rates: Rates,
    uses: Mapping[int, datetime],
    passing: Callable[[datetime], datetime] = lambda at: at,
) -> datetime:
    """Return when a job that is ready at ``ready_at`` starts under a limit. The work grows with the number of others.

    ``before`` and ``after`` say when the others that the limit counts are ready: those more urgent than the job, and
    those less. ``uses`` are the starts so far: -1 is the newest, -2 the one before it, and so on. ``passing`` returns
    when what keeps all of them lets somebody start, from a moment on.
    """
    urgent, patient = sorted(before, reverse=True), sorted(after, reverse=True)
    starts: list[datetime] = []
    at = min([ready_at, *urgent[-1:], *patient[-1:]])
    while True:
        at = passing(max([at, *_openings(starts, rates, uses)]))
        if urgent and urgent[-1] <= at:
            urgent.pop()
        elif ready_at <= at:
            return at
        elif patient and patient[-1] <= at:
            patient.pop()
        else:
            at = min([ready_at, *urgent[-1:], *patient[-1:]])
            continue
        starts.append(at)


def _openings(starts: Sequence[datetime], rates: Rates, uses: Mapping[int, datetime]) -> Iterator[datetime]:
    """Yield when each rate's window lets one more start after the recorded ``uses`` and the foreseen ``starts``."""
    for rate in rates:
        # This start leaves the window with the one that is `count` before it.
        number = len(starts) - rate.count
        at = starts[number] if number >= 0 else uses.get(number)
        if at is not None:
            yield at + rate.window
