"""How many workers a cluster should have for what waits. Decides only: the housekeeper asks, the sentinel acts.

Up at once and by doubling, because a backlog is growing meanwhile; down by one and only after a second look agrees,
because the backlog that is almost worked off often grows again.
"""

from __future__ import annotations

from dataclasses import dataclass

from queue_app import claims, clock, conf, registry, routes

MOST_WORKERS = 100
LOOKS_BEFORE_DOWN = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """When to grow and shrink, and how far: more than ``up_over`` or fewer than ``down_under`` jobs waiting."""

    up_over: int
    down_under: int
    least: int
    most: int

    def __post_init__(self) -> None:
        """Raise ValueError for bounds that contradict each other."""
        if not 1 <= self.least <= self.most <= MOST_WORKERS:
            raise ValueError(
                f"AUTOSCALE_MIN_WORKERS {self.least} and AUTOSCALE_MAX_WORKERS {self.most} do not fit: "
                f"1 or more, at most {MOST_WORKERS}, the first not above the second"
            )
        if not self.down_under <= self.up_over:
            raise ValueError(
                f"AUTOSCALE_DOWN_UNDER {self.down_under} is above AUTOSCALE_UP_OVER {self.up_over}; "
                "workers would come and go without end"
            )


def bounds() -> Bounds:
    """Return the settings' bounds. Raises ValueError where they contradict each other."""
    names = ("AUTOSCALE_UP_OVER", "AUTOSCALE_DOWN_UNDER", "AUTOSCALE_MIN_WORKERS", "AUTOSCALE_MAX_WORKERS")
    return Bounds(*(int(conf.get(name)) for name in names))


def wished_workers(waiting: int, workers: int, within: Bounds, *, quiet_looks: int) -> int:
    """Return how many workers there should be for ``waiting`` jobs, where there are ``workers`` now.

    ``quiet_looks`` is the number of looks in a row, this one too, that found few jobs waiting.
    """
    if waiting > within.up_over:
        workers *= 2
    elif quiet_looks >= LOOKS_BEFORE_DOWN:
        workers -= 1
    return max(within.least, min(workers, within.most))


class Scaler:
    """Looks at one cluster again and again, and remembers how often in a row it was quiet."""

    def __init__(self, within: Bounds) -> None:
        self._within = within
        self._quiet_looks = 0

    def look(self, waiting: int, workers: int) -> int:
        """Return how many workers there should be."""
        self._quiet_looks = self._quiet_looks + 1 if waiting < self._within.down_under else 0
        return wished_workers(waiting, workers, self._within, quiet_looks=self._quiet_looks)


def count_waiting(cluster: str, most: int) -> int:
    """Return how many jobs of the cluster's queues are due, not parked and not begun; ``most`` where there are more.

    Reads no more than ``most`` entries of the index of due jobs, however many there are.
    """
    now, types, found = clock.now(), sorted(registry.known()), 0
    for queue in routes.queues_of(cluster):
        found += claims.count_due(queue, types, now, most - found)
    return found
