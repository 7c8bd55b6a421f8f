"""System checks: what would break a cluster or a promise of the queue later, said at start-up with a hint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 -- Django's name for it
from django.db import connections, router
from django.db.models import Model

from queue_app import conf, database, given, monitors, registry, routes
from queue_app.models import Job
from queue_app.rates import parse_rates
from queue_app.retry import parse_waits

OURS = "socialq"  # the tag of the checks that every command of ours runs
READ_COMMITTED = "read committed"
# What is read under the control lock must be what is committed when the lock is granted, not when it was asked for.
NEEDS_READ_COMMITTED = (
    "The database {!r} begins transactions as {}: a job could begin its irreversible step after an emergency stop."
)
_LEVEL_OF_SESSION = re.compile(r"default_transaction_isolation\W+(repeatable|serializable)", re.IGNORECASE)


@register(OURS)
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


@register(OURS)
def check_one_database(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find tables that must change in one transaction with a job, but live in another database."""
    queue_alias = router.db_for_write(Job)
    elsewhere = sorted(
        model._meta.label for model in _models_beside_jobs() if router.db_for_write(model) != queue_alias
    )
    broker_alias = getattr(settings, "Q_CLUSTER", {}).get("orm")
    if broker_alias and broker_alias != queue_alias:
        elsewhere.append(f'Q_CLUSTER["orm"] ({broker_alias})')
    if not elsewhere:
        return []
    return [
        Error(
            f"The queue is in the database {queue_alias!r}, but these are elsewhere: {', '.join(elsewhere)}.",
            hint="Route queue_app, django_q, users, and every app whose job types follow transitions to one database.",
            id="queue_app.E003",
        )
    ]


@register(OURS)
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
    return found + _check_isolation(alias)


@register(Tags.database)
def check_isolation_of_server(
    app_configs: Any, databases: Sequence[str] | None = None, **_kwargs: Any
) -> list[CheckMessage]:
    """Find a server that begins the queue's transactions in another level; asked by ``migrate``, which has it there."""
    alias = database.alias()
    if alias not in (databases or ()) or not database.is_postgresql():
        return []
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW default_transaction_isolation")
        (level,) = cursor.fetchone()
    if level == READ_COMMITTED:
        return []
    hint = (
        f"ALTER ROLE ... SET default_transaction_isolation = '{READ_COMMITTED}' for the user of DATABASES[{alias!r}]."
    )
    return [Error(NEEDS_READ_COMMITTED.format(alias, level), hint=hint, id="queue_app.E010")]


@register(OURS)
def check_routes(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find what cannot be read in ROUTES, CLUSTERS, LIMITS and RETRIES, which are used when a job is added or run."""
    found: list[CheckMessage] = []
    for check_id, name, read in (
        ("queue_app.E006", "ROUTES", _read_route),
        ("queue_app.E007", "CLUSTERS", _read_cluster),
        ("queue_app.E008", "LIMITS", _read_limit),
        ("queue_app.E011", "RETRIES", _read_retries),
    ):
        setting = conf.get(name)
        entries = setting.items() if isinstance(setting, dict) else [("", setting)]
        for pattern, value in entries:
            try:
                read(pattern, value)
            except ValueError as error:
                hint = f"SOCIALQ[{name!r}] is read as: {conf.SETTINGS[name].help}"
                found.append(Error(f"{name} has an entry that cannot be read: {error}.", hint=hint, id=check_id))
    return found


@register(OURS)
def check_settings(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find settings of a wrong type or beyond their bounds, which would break a cluster in the middle of its work."""
    found: list[CheckMessage] = []
    for name, setting in conf.SETTINGS.items():
        try:
            _read_plain(name, setting, conf.get(name))
        except ValueError as error:
            hint = f"SOCIALQ[{name!r}] is: {setting.help} Its default is {setting.default!r}."
            found.append(Error(f"{error}.", hint=hint, id="queue_app.E009"))
    if not found and conf.get("HEARTBEAT_SECONDS") >= conf.get("LEASE_SECONDS"):
        said = f"HEARTBEAT_SECONDS {conf.get('HEARTBEAT_SECONDS')} is not below LEASE_SECONDS"
        hint = "Make LEASE_SECONDS several times HEARTBEAT_SECONDS."
        found.append(Warning(f"{said}, so living workers may be taken for dead.", hint=hint, id="queue_app.W001"))
    return found


@register(OURS, Tags.security)
def check_proxies(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find a site behind a proxy that takes the proxy's address for everybody's."""
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None) is None or conf.get("TRUSTED_PROXIES"):
        return []
    said = "The site stands behind a proxy and takes its address for everybody's: one who guesses keys locks all out."
    hint = "Set TRUSTED_PROXIES to how many proxies add to X-Forwarded-For, and see that they do: mostly 1."
    return [Warning(said, hint=hint, id="queue_app.W002")]


@register(OURS)
def check_monitors(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Find what is no address or network in METRICS_ALLOW, which would fail when a monitor asks."""
    try:
        monitors.networks(conf.get("METRICS_ALLOW"))
    except ValueError as error:
        hint = "SOCIALQ['METRICS_ALLOW'] lists addresses and networks, such as 10.0.0.0/8."
        return [Error(f"METRICS_ALLOW has an entry that cannot be read: {error}.", hint=hint, id="queue_app.E021")]
    return []


def _check_isolation(alias: str) -> list[CheckMessage]:
    from django.db.backends.postgresql.psycopg_any import IsolationLevel  # noqa: PLC0415 -- where PostgreSQL is used

    options = connections[alias].settings_dict.get("OPTIONS", {})
    level = options.get("isolation_level", IsolationLevel.READ_COMMITTED)
    by_option = _LEVEL_OF_SESSION.search(str(options.get("options", "")))
    if level == IsolationLevel.READ_COMMITTED and by_option is None:
        return []
    hint = f'Remove "isolation_level", and default_transaction_isolation, from OPTIONS of DATABASES[{alias!r}].'
    chosen = by_option[1] if by_option is not None else getattr(level, "name", level)
    return [Error(NEEDS_READ_COMMITTED.format(alias, chosen), hint=hint, id="queue_app.E010")]


def _read_plain(name: str, setting: conf.Setting, value: object) -> None:
    if isinstance(setting.default, str):
        given.text(name, value)
    elif isinstance(setting.default, int | float):
        given.number(name, value, setting.least, setting.most)
        if isinstance(setting.default, int) and not isinstance(value, int):
            raise ValueError(f"{name} is a whole number, not {value!r}")  # noqa: TRY004 -- told like any other


def _read_route(pattern: object, queue: object) -> None:
    _read_word("a pattern of job types", pattern)
    _read_word(f"the queue of {pattern!r}", queue)


def _read_cluster(cluster: object, queues: object) -> None:
    _read_word("a cluster's name", cluster)
    if not isinstance(queues, str):
        raise ValueError(f"the queues of {cluster!r} are text, not {queues!r}")  # noqa: TRY004 -- told like any other
    for queue in routes.queues_of(str(cluster)):
        _read_word(f"a queue of {cluster!r}", queue)


def _read_limit(pattern: object, rates: object) -> None:
    _read_word("a pattern of keys", pattern)
    parse_rates(str(rates))


def _read_retries(pattern: object, waits: object) -> None:
    _read_word("a pattern of job types", pattern)
    parse_waits(str(waits))


def _read_word(what: str, word: object) -> None:
    fine = isinstance(word, str) and 0 < len(word) <= routes.QUEUE_CHARACTERS and not any(map(str.isspace, word))
    if not fine:
        raise ValueError(f"{what} is 1 to {routes.QUEUE_CHARACTERS} characters without spaces, not {word!r}")


def _models_beside_jobs() -> set[type[Model]]:
    """Return the models whose rows change in a job's transaction, or are referred to by those that do.

    They are the queue's own, django-q2's, and those of apps with a job type that follows transitions.
    """
    followed = [kind.on_transition for kind in registry.known().values() if kind.on_transition is not None]
    beside = {apps.get_containing_app_config(follower.__module__) for follower in followed}
    labels = {config.label for config in beside if config is not None} | {"django_q", Job._meta.app_label}
    models = {model for model in apps.get_models() if model._meta.app_label in labels}
    # A foreign key, such as that of a post to its owner, does not reach into another database.
    fields = [field for model in models for field in model._meta.get_fields() if field.concrete]
    return models | {field.related_model for field in fields if isinstance(field.related_model, type)}
