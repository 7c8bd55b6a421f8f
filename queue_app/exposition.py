"""The metrics as Prometheus reads them; needs the package ``prometheus-client`` (SocialQ's extra ``metrics``)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from queue_app.metrics import PREFIX, Histogram, Metric, collect

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Several monitors that ask at once are told the same.
KEPT_SECONDS = 1.0


def render(metrics: list[Metric]) -> bytes:
    """Return the text of ``metrics``; the package escapes what stands in labels."""

    class Collector:
        def collect(self) -> Iterator[Any]:
            """Yield each metric as the package's own."""
            return map(_family, metrics)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return generate_latest(registry)


class Kept:
    """The last answer of a function for a moment, so that no number of askers makes the database work more."""

    def __init__(self, make: Callable[[], bytes], seconds: float) -> None:
        self._make, self._seconds = make, seconds
        self._lock = threading.Lock()
        self._answer, self._made_at = b"", float("-inf")

    def __call__(self) -> bytes:
        """Return the answer, made anew if it is too old; one thread makes it, others wait for it."""
        with self._lock:
            if time.monotonic() - self._made_at > self._seconds:
                self._answer = self._make()
                self._made_at = time.monotonic()
            return self._answer


scrape = Kept(lambda: render(collect()), KEPT_SECONDS)


def _family(metric: Metric) -> Any:
    name = PREFIX + metric.name
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(name, metric.help, labels=metric.labels)
        for labels, value in metric.samples:
            if isinstance(value, Histogram):
                bounds = [*map(str, value.bounds), "+Inf"]
                buckets = list(zip(bounds, accumulate(value.counts), strict=True))
                histogram.add_metric(labels, buckets, value.seconds)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(name, metric.help, labels=metric.labels)
    for labels, value in metric.samples:
        if not isinstance(value, Histogram):
            family.add_metric(labels, value)
    return family
