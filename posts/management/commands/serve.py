"""Run the whole site from one command: a web server and clusters, watched and restarted."""

from __future__ import annotations

import errno
import http.client
import logging
import signal
import socket
import sys
from argparse import ArgumentParser
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.db import connections
from django.urls import reverse

from queue_app import alerts, conditions, conf, lifeline
from queue_app.management.base import OneLineCommand
from queue_app.supervisor import Child, Periodically, Supervisor

logger = logging.getLogger("socialq.site")

CHECK_WORKERS_SECONDS = 10.0
ANSWER_SECONDS = 2.0
PAGE_THREADS = 4
ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 -- compared with, never listened on


class Command(OneLineCommand):
    help = "Serve the site and run its queue, until Ctrl-C or SIGTERM."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare where to listen and how many processes to run."""
        port = getattr(settings, "PORT", 8000)
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=port, help="port to listen on (default: %(default)s)")
        parser.add_argument("--web-workers", type=int, default=2, help="web processes (default: %(default)s)")
        parser.add_argument("--clusters", type=int, default=1, help="clusters (default: %(default)s)")
        parser.add_argument("--with-parent", action="store_true", help="stop, too, when what started it is interrupted")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop; exit code 1 if the port is taken."""
        host, port = options["host"], options["port"]
        for name, least, most in (("port", 1, 65535), ("web_workers", 1, 100), ("clusters", 0, 100)):
            if not least <= options[name] <= most:
                flag = name.replace("_", "-")
                raise CommandError(f"--{flag} is a number from {least} to {most}, not {options[name]}")
        _refuse_if_taken(host, port)
        manage = [sys.executable, str(Path(sys.argv[0]).absolute())]
        children = [Child("web", _gunicorn(host, port, options["web_workers"]))]
        children += [Child(f"cluster {number + 1}", [*manage, "qcluster"]) for number in range(options["clusters"])]
        announcement = _Announcement(self, host, port)
        parent = lifeline.Parent()

        def every_turn() -> None:
            announcement()
            if options["with_parent"] and parent.is_ending():
                signal.raise_signal(signal.SIGTERM)

        if options["clusters"]:
            Periodically(CHECK_WORKERS_SECONDS, _WorkerCheck())
            Periodically(conditions.LOOK_SECONDS, _look_for_conditions)
        Supervisor(children, grace_seconds=float(conf.get("STOP_GRACE_SECONDS"))).run(every_turn=every_turn)


class _WorkerCheck:
    """Tells people when no worker has lived for a minute."""

    def __init__(self) -> None:
        self._none_since: datetime | None = None

    def __call__(self) -> None:
        try:
            self._none_since = alerts.check_workers(self._none_since)
        except DatabaseError as error:
            logger.warning("workers not checked, database away error=%s", type(error).__name__)
        finally:
            connections.close_all()


def _look_for_conditions() -> None:
    """Look for what people should be told, in case no cluster does; not being a worker, this process sends nothing."""
    try:
        conditions.check()
    except DatabaseError as error:
        logger.warning("conditions not looked for, database away error=%s", type(error).__name__)
    finally:
        connections.close_all()


class _Announcement:
    """Says once where the site is, as soon as it answers."""

    def __init__(self, command: BaseCommand, host: str, port: int) -> None:
        self._command = command
        self._host, self._port = host, port
        self._made = False

    def __call__(self) -> None:
        if not self._made and _answers(_reachable(self._host), self._port):
            self._made = True
            site = conf.get("SITE_URL") if self._host in ANY_ADDRESS else f"http://{_quoted(self._host)}:{self._port}"
            self._command.stdout.write(f"SocialQ is at {site}{reverse('admin:index')} (Ctrl-C stops it)")
            self._command.stdout.flush()


def _gunicorn(host: str, port: int, workers: int) -> list[str]:
    if find_spec("gunicorn") is None:
        raise CommandError("gunicorn is not installed: install it, or run the site in another web server and qcluster.")
    module, _, name = settings.WSGI_APPLICATION.rpartition(".")
    return [
        *(sys.executable, "-m", "gunicorn", f"{module}:{name}"),
        *("--bind", f"{_quoted(host)}:{port}", "--workers", str(workers)),
        # Pages have threads of their own, however many programs listen.
        *("--threads", str(PAGE_THREADS + conf.get("MAX_LISTENERS"))),
        *("--pythonpath", str(Path(sys.argv[0]).absolute().parent)),
        *("--graceful-timeout", "10", "--log-level", "warning", "--no-control-socket"),
    ]


def _refuse_if_taken(host: str, port: int) -> None:
    """Raise CommandError where the web server could not listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = "is in use: stop the other program, or" if error.errno == errno.EADDRINUSE else f"({error.strerror}):"
            raise CommandError(f"Port {port} of {host} {why} choose another with --port.") from None


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", reverse("admin:login"))
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- see ANY_ADDRESS


def _quoted(host: str) -> str:
    return f"[{host}]" if ":" in host else host
