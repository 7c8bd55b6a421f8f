"""Which queue a job type goes to, and which queues a cluster serves: by name, unless the settings say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from queue_app import conf

QUEUE_CHARACTERS = 100


def queue_for(type_name: str, default: str) -> str:
    """Return the queue of a job type by ``ROUTES``: the first pattern that fits wins, else ``default``."""
    queue = first_fitting(conf.get("ROUTES"), type_name)
    return default if queue is None else queue


def first_fitting(settings: Mapping[str, str], type_name: str) -> str | None:
    """Return what a setting has for a job type: the first pattern that fits wins; ``None`` where none does."""
    return next((value for pattern, value in settings.items() if fnmatchcase(type_name, pattern)), None)


def queues_of(cluster: str) -> dict[str, int]:
    """Return the queues that the cluster of this name serves, with their weights.

    That is the queue of the same name, unless ``CLUSTERS`` lists others: ``{"social": "facebook:3 linkedin:1"}``.
    Raises ValueError for a list that cannot be read.
    """
    listed: str | None = conf.get("CLUSTERS").get(cluster)
    if listed is None:
        return {cluster: 1}
    weights: dict[str, int] = {}
    for entry in listed.split():
        queue, divides, weight = entry.rpartition(":") if ":" in entry else (entry, ":", "1")
        if not (queue and divides and weight.isdecimal() and 1 <= int(weight) <= 100) or queue in weights:
            raise ValueError(
                f"CLUSTERS[{cluster!r}] lists queues as queue:weight divided by spaces, each once, with weights from "
                f"1 to 100; {entry!r} is not"
            )
        weights[queue] = int(weight)
    if not weights:
        raise ValueError(f"CLUSTERS[{cluster!r}] lists no queue")
    return weights


def shown(queues: Mapping[str, int]) -> str:
    """Return queues with their weights as people write them; a lone queue's weight says nothing and is left out."""
    if len(queues) == 1:
        return next(iter(queues))
    return " ".join(f"{queue}:{weight}" for queue, weight in queues.items())
