"""The queue's settings: one table with defaults, read from ``settings.SOCIALQ`` whenever they are used.

The site reads the environment (``SOCIALQ_<NAME>``) by the same table; nothing here does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its default, whose type is its type, and what it does. ``env`` is its name where it is not
    ``SOCIALQ_<NAME>``; ``factor`` turns the environment's unit into the setting's (minutes into seconds). A number is
    from ``least`` to ``most``."""

    default: Any
    help: str
    env: str = ""
    factor: int = 1
    least: float = 0
    most: float = 1_000_000_000


SETTINGS: Mapping[str, Setting] = {
    "WORKERS": Setting(4, "Worker processes a cluster.", least=1, most=100),
    "CHECK_INTERVAL_SECONDS": Setting(1.0, "The longest an idle cluster waits before it looks for work.", least=0.01),
    "LEASE_SECONDS": Setting(
        8, "How long another machine's worker may be silent before its job is taken from it.", least=1
    ),
    "HEARTBEAT_SECONDS": Setting(2, "How often a cluster says that its workers live.", least=0.1),
    "IDLE_TRANSACTION_SECONDS": Setting(
        60,
        "PostgreSQL rolls back a transaction whose process says nothing for so long, as on a machine without power; 0 "
        "leaves that to the server.",
        most=86_400,
    ),
    "STOP_GRACE_SECONDS": Setting(30, "How long a stopping cluster lets running jobs finish before handing them back."),
    "AUTOSCALE_UP_OVER": Setting(500, "More jobs waiting than this: workers --autoscale doubles the workers."),
    "AUTOSCALE_DOWN_UNDER": Setting(50, "Fewer jobs waiting than this, twice in a row: one worker leaves."),
    "AUTOSCALE_MIN_WORKERS": Setting(1, "The fewest workers that an autoscaled cluster keeps.", least=1, most=100),
    "AUTOSCALE_MAX_WORKERS": Setting(20, "The most workers that an autoscaled cluster starts.", least=1, most=100),
    "AUTOSCALE_SECONDS": Setting(5.0, "How often an autoscaled cluster looks at what waits.", least=0.01),
    "JOB_TIMEOUT_SECONDS": Setting(
        1800, "A job's longest run, where its type says nothing.", env="QUEUE_JOB_TIMEOUT_MINUTES", factor=60, least=1
    ),
    "RETRY_BASE_DELAY_SECONDS": Setting(60, "Wait before the first retry of a job.", env="QUEUE_RETRY_BASE_DELAY"),
    "RETRY_MULTIPLIER": Setting(
        2.0, "By how much each further wait grows.", env="QUEUE_RETRY_MULTIPLIER", least=1, most=1000
    ),
    "MAX_RETRIES": Setting(3, "Retries after the first run of a job.", env="QUEUE_MAX_RETRIES", most=1_000_000),
    "PURGE_AFTER_DAYS": Setting(
        7, "Age at which completed and cancelled jobs are deleted.", env="QUEUE_CLEANUP_AFTER_DAYS", most=100_000
    ),
    "PURGE_FAILED_AFTER_DAYS": Setting(90, "Age at which failed jobs are deleted.", most=100_000),
    "ROUTES": Setting({}, "Queues by job type: posts.*=publish,report=slow. The first pattern that fits wins."),
    "CLUSTERS": Setting(
        {}, "Clusters that serve other queues than the one of their name, with weights: social=facebook:3 linkedin:1"
    ),
    "RETRIES": Setting(
        {},
        "Waits before each retry (s, m, h, d) by job type, or never: posts.publish=10m 10m,report=never. The first "
        "pattern that fits wins. The queue's own work keeps its own.",
    ),
    "LIMITS": Setting(
        {},
        "Most starts of jobs with a key in any window: platform:linkedin=20/d,account:*=25/15m 100/d. "
        "Where several patterns fit a key, the exact one wins, else the longest.",
    ),
    "BREAKER_FAILURES": Setting(
        5, "Failures in a row after which a key is left alone, where a job type counts them.", least=1
    ),
    "BREAKER_SECONDS": Setting(60, "How long it is left alone at first; each failed probe doubles that."),
    "BREAKER_MAX_SECONDS": Setting(1800, "The longest it is left alone."),
    "HEALTH_MIN_WORKERS_SHARE": Setting(0.8, "Unhealthy below this share of living workers.", most=1),
    "HEALTH_MAX_WAITING": Setting(1000, "Unhealthy above this number of jobs that are due and wait."),
    "HEALTH_MAX_ERROR_SHARE": Setting(0.05, "Unhealthy above this share of failures in the last hour.", most=1),
    "METRICS_TOKEN": Setting("", "Who sends it as a bearer token may read /metrics, and /ready in words."),
    "METRICS_ALLOW": Setting(
        ["127.0.0.1", "::1"],
        "Addresses and networks that may do so without a token, unless they come through a proxy.",
    ),
    "CLOCK_SKEW_SECONDS": Setting(5.0, "Unhealthy where a host's clock differs more than this from the queue's."),
    "LATE_SECONDS": Setting(60, "What is due for longer is late: the dashboard shows it in amber."),
    "VERY_LATE_SECONDS": Setting(
        300, "What is due for longer is very late: the dashboard shows it in red, and the queue is unhealthy."
    ),
    "API_REQUESTS_PER_MINUTE": Setting(600, "Requests to the API that one key may make in a minute.", least=1),
    "API_WRONG_KEYS": Setting(
        10, "Wrong API keys from one address in 15 minutes, after which it is refused for 15 minutes.", least=1
    ),
    "TRUSTED_PROXIES": Setting(
        0,
        "Proxies before the site, each of which adds to X-Forwarded-For whom it was asked by. With 0 the header is not "
        "read, and whoever connects is whoever asks.",
        most=10,
    ),
    "MAX_LISTENERS": Setting(
        10, "Programs that may follow /api/events at a time, for each web process. Each has a thread.", most=1000
    ),
    "LISTENER_HEARTBEAT_SECONDS": Setting(15.0, "How often a quiet stream of events says that it lives.", least=0.05),
    "LISTENER_SECONDS": Setting(
        1800, "After how long a stream ends, to go on in a new one.", env="SOCIALQ_LISTENER_MINUTES", factor=60
    ),
    "FAILPOINTS": Setting("", "For tests: where a process should die or stand still; see queue_app/failpoints.py."),
    "SITE_URL": Setting("http://127.0.0.1:8000", "The site's public address, for links in mail.", env="SITE_URL"),
}


def read(table: Mapping[str, Setting], name: str) -> Any:
    """Return the setting ``name`` of ``table`` from ``settings.SOCIALQ``, else its default.

    Raises ImproperlyConfigured where that is no dict.
    """
    chosen = getattr(settings, "SOCIALQ", {})
    if not isinstance(chosen, Mapping):
        raise ImproperlyConfigured(f"SOCIALQ is a dict of settings by name, not a {type(chosen).__name__}")
    return chosen.get(name, table[name].default)


def get(name: str) -> Any:
    """Return one of the queue's settings; ``KeyError`` if the queue has no such setting."""
    return read(SETTINGS, name)
