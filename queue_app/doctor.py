"""What is wrong with a site, and how to mend it: settings, database, clocks, disk, address, mail, workers.

For people who set a site up or look for a fault: it asks more than ``health.py``, which monitors ask every minute.
Other apps add what they know: ``@doctor_check``. Leaves nothing written, and sends nothing.
"""

from __future__ import annotations

import ipaddress
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.core import mail
from django.core.checks import ERROR, WARNING, run_checks
from django.db import Error as DatabaseError
from django.utils.http import is_same_domain

from queue_app import clockwatch, conf, database, health, readiness
from queue_app.database import connection, is_postgresql, reason_of

Level = Literal["ok", "warning", "error"]
FULL_SYNCHRONOUS = 2
ROOM_BYTES, LITTLE_ROOM_BYTES = 100_000_000, 1_000_000_000
CONSOLE_BACKENDS = ("console", "dummy", "locmem")
LOCAL_NAMES = ("localhost",)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look has found about something: how bad it is, what it is, and how to mend it."""

    level: Level
    about: str
    says: str
    mend: str = ""


Look = Callable[[bool], Iterable[Finding]]
_looks: list[Look] = []


def doctor_check(look: Look) -> Look:
    """Have ``examine`` ask this function, too; it is told whether it must stay offline.

    For the ``jobs.py`` of an app. It may take some seconds, and raises nothing but DatabaseError.
    """
    _looks.append(look)
    return look


def ok(about: str, says: str) -> Finding:
    """Return that all is well."""
    return Finding("ok", about, says)


def warning(about: str, says: str, mend: str) -> Finding:
    """Return what works, but will not always, or not for everybody."""
    return Finding("warning", about, says, mend)


def error(about: str, says: str, mend: str) -> Finding:
    """Return what keeps the site from its work."""
    return Finding("error", about, says, mend)


def examine(*, offline: bool) -> Iterator[Finding]:
    """Yield what is found, one look after the other; ``offline`` leaves out what would reach another machine."""
    for look in (_settings, _database, _queue, _clock, _disk, _address, _mail, _metrics, *_looks):
        try:
            yield from look(offline)
        except DatabaseError as problem:
            said = f"It cannot be used: {reason_of(problem)}."
            yield error("database", said, "Check DATABASE_URL and that its server runs.")


def room_in(about: str, folder: Path) -> Finding:
    """Return whether the disk with ``folder`` has room."""
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:,.1f} GB are free at {folder}."
    if free < ROOM_BYTES:
        return error(about, said, "Make room: nothing can be stored soon.")
    if free < LITTLE_ROOM_BYTES:
        return warning(about, said, "Make room before it is full.")
    return ok(about, said)


def _settings(offline: bool) -> Iterator[Finding]:
    """Django's and all apps' own checks; those for production, too, where the site is one."""
    found = [message for message in run_checks(include_deployment_checks=_is_https()) if not message.is_silenced()]
    for message in found:
        make = error if message.level >= ERROR else warning
        if message.level >= WARNING:
            yield make("settings", f"{message.msg} ({message.id})", message.hint or "See the setting's description.")
    if not any(message.level >= WARNING for message in found):
        yield ok("settings", "They fit together.")


def _database(offline: bool) -> Iterator[Finding]:
    if is_postgresql():
        with connection().cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version'), current_setting('synchronous_commit')")
            version, synchronous = cursor.fetchone()
        if synchronous == "off":
            yield warning(
                "database",
                f"PostgreSQL {version} does not wait for its disk: after a crash a post may be sent again.",
                "Set synchronous_commit to on for this database.",
            )
        else:
            yield ok("database", f"PostgreSQL {version}.")
        return
    yield from _sqlite()


def _sqlite() -> Iterator[Finding]:
    with connection().cursor() as cursor:
        modes = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    wrong = False
    if str(modes["journal_mode"]).lower() != "wal":
        wrong = True
        yield error(
            "database",
            f"SQLite's journal mode is {modes['journal_mode']}, so readers and writers keep each other waiting.",
            'Set "init_command": "PRAGMA journal_mode = WAL; …" in OPTIONS, with the file on a local disk.',
        )
    if modes["synchronous"] < FULL_SYNCHRONOUS:
        wrong = True
        yield warning(
            "database",
            "SQLite does not wait for its disk: a power cut loses what was sent, and it may be sent again.",
            "Add PRAGMA synchronous = FULL to the init_command in OPTIONS.",
        )
    if getattr(connection(), "transaction_mode", None) != "IMMEDIATE":
        wrong = True
        yield warning(
            "database",
            "Transactions of SQLite begin as readers, and fail as “locked” where they want to write.",
            'Set "transaction_mode": "IMMEDIATE" in OPTIONS.',
        )
    if not wrong:
        yield ok("database", "SQLite, in WAL mode, waits for its disk.")


def _queue(offline: bool) -> Iterator[Finding]:
    """What monitors are told, and that no worker lives although nothing waits for one."""
    found = health.health()
    for problem in found.problems:
        yield error("queue", *_parted(problem))
    none_lives = readiness.worker_problem()
    if none_lives is not None:
        yield warning("workers", *_parted(none_lives))
    elif found.healthy:
        yield ok("queue", "It is healthy, and workers live.")


def _parted(problem: str) -> tuple[str, str]:
    """Return a problem as monitors get it as two sentences: what it is, and how to mend it."""
    what, _colon, mend = problem.partition(": ")
    return f"{what}.", f"{mend[:1].upper()}{mend[1:]}." if mend else ""


def _clock(offline: bool) -> Iterator[Finding]:
    if not is_postgresql():
        return
    skew, most = clockwatch.skew_seconds(clockwatch.look()), float(conf.get("CLOCK_SKEW_SECONDS"))
    if abs(skew) > most:
        where = "ahead of" if skew > 0 else "behind"
        yield warning("clock", f"This host's clock is {abs(skew):.1f} s {where} the database's.", "Have NTP keep it.")
    else:
        yield ok("clock", "This host's clock and the database's agree.")


def _disk(offline: bool) -> Iterator[Finding]:
    if is_postgresql():
        return
    file = Path(str(database.connection().settings_dict["NAME"]))
    if file.is_file():
        yield room_in("disk", file.parent)


def _address(offline: bool) -> Iterator[Finding]:
    url = urlsplit(str(conf.get("SITE_URL")))
    host = url.hostname or ""
    if not any(is_same_domain(host, pattern) or pattern == "*" for pattern in settings.ALLOWED_HOSTS):
        yield error("address", f"The host of SITE_URL, {host}, is not in ALLOWED_HOSTS.", "Add it to ALLOWED_HOSTS.")
    if url.scheme != "https" and not _is_on_this_machine(host):
        yield warning(
            "address",
            f"{url.geturl()} is not https: passwords and sessions travel in the clear.",
            "Put the site behind a proxy that speaks TLS, and set SITE_URL to its https:// address.",
        )
    elif _is_on_this_machine(host):
        yield ok("address", f"{url.geturl()} is for this machine alone.")
    else:
        yield ok("address", url.geturl())


def _mail(offline: bool) -> Iterator[Finding]:
    sender = _mail_sender()
    kind = type(sender).__module__.rpartition(".")[2]
    if not settings.ADMINS:
        yield warning("mail", "Nobody is told when something fails: ADMINS is empty.", "Name somebody in ADMINS.")
    if kind in CONSOLE_BACKENDS:
        yield warning("mail", f"Mail goes nowhere: the backend is {kind}.", "Set EMAIL_URL to your mail server.")
    elif not offline:
        yield _mail_server(sender)


def _mail_sender() -> Any:
    """Return what mail goes through: since Django 6.1 a site may have MAILERS in the place of the EMAIL settings."""
    return mail.mailers["default"] if hasattr(settings, "MAILERS") else mail.get_connection()


def _mail_server(sender: Any) -> Finding:
    host = getattr(sender, "host", "")
    try:
        sender.open()
        sender.close()
    except OSError as problem:
        said = f"The mail server {host} does not let us in ({type(problem).__name__})."
        return error("mail", said, "Check EMAIL_URL: host, port, user and password.")
    return ok("mail", f"The mail server {host} lets us in.")


def _metrics(offline: bool) -> Iterator[Finding]:
    if find_spec("prometheus_client") is None and "prometheus_client" not in sys.modules:
        yield warning("metrics", "/metrics has no package to write them.", "pip install 'socialq[metrics]'")


def _is_https() -> bool:
    return str(conf.get("SITE_URL")).startswith("https://")


def _is_on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOCAL_NAMES
