"""System checks: what would break a cluster or a promise of the queue later, said at start-up with a hint."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db import connections, router
from django.db.models import Model

from queue_app import database, registry
from queue_app.models import Job


@register
def check_app_order(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find django_q missing, or placed so that its own qcluster command would win."""
    names = [config.name for config in apps.get_app_configs()]
    if "django_q" not in names:
        return [
            Error(
                "queue_app needs django_q, which is not installed.",
                hint='Add "django_q" to INSTALLED_APPS, after "queue_app".',
                id="queue_app.E001",
            )
        ]
    if names.index("queue_app") > names.index("django_q"):
        return [
            Error(
                "queue_app stands after django_q, so manage.py qcluster would start a cluster that runs no jobs.",
                hint='Put "queue_app" before "django_q" in INSTALLED_APPS.',
                id="queue_app.E002",
            )
        ]
    return []


@register
def check_one_database(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find tables that must change in one transaction with a job, but live in another database."""
    queue_alias = router.db_for_write(Job)
    elsewhere = sorted(
        {model._meta.label for model in _models_beside_jobs() if router.db_for_write(model) != queue_alias}
    )
    broker_alias = getattr(settings, "Q_CLUSTER", {}).get("orm")
    if broker_alias and broker_alias != queue_alias:
        elsewhere.append(f'Q_CLUSTER["orm"] ({broker_alias})')
    if not elsewhere:
        return []
    return [
        Error(
            f"The queue is in the database {queue_alias!r}, but these are elsewhere: {', '.join(elsewhere)}.",
            hint="Route queue_app, django_q and every app whose job types follow transitions to one database.",
            id="queue_app.E003",
        )
    ]


@register
def check_connections(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find a PostgreSQL connection pool, which does not survive a cluster's forks, and a driver that cannot listen."""
    alias = database.alias()
    if not database.is_postgresql():
        return []
    from django.db.backends.postgresql.psycopg_any import is_psycopg3  # noqa: PLC0415 -- where PostgreSQL is used

    found: list[CheckMessage] = []
    if connections[alias].settings_dict.get("OPTIONS", {}).get("pool"):
        found.append(
            Error(
                f"The database {alias!r} has a connection pool; clusters fork, and a pool does not survive that.",
                hint=f'Remove "pool" from OPTIONS of DATABASES[{alias!r}].',
                id="queue_app.E004",
            )
        )
    if not is_psycopg3:
        found.append(
            Error(
                "Clusters listen to PostgreSQL through psycopg 3, and psycopg2 is installed.",
                hint='Install "psycopg[binary]" 3.',
                id="queue_app.E005",
            )
        )
    return found


def _models_beside_jobs() -> list[type[Model]]:
    """Return django-q2's models and those of apps with a job type that follows transitions in their transaction."""
    followed = [kind.on_transition for kind in registry.known().values() if kind.on_transition is not None]
    beside = {apps.get_containing_app_config(follower.__module__) for follower in followed}
    labels = {config.label for config in beside if config is not None} | {"django_q"}
    return [model for model in apps.get_models() if model._meta.app_label in labels]
