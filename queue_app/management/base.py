"""The base of every command here: whatever is wrong, a person reads one line and gets exit code 1.

Owns only how a refusal looks. A defect keeps its traceback, and ``--traceback`` shows one for everything else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import InterfaceError, OperationalError, ProgrammingError

from queue_app.checks import OURS
from queue_app.database import reason_of

UNKNOWN = "unrecognized arguments:"
# As shells say that SIGINT ended a program.
INTERRUPTED = 130


class OneLineCommand(BaseCommand):
    """Says wrong arguments, and a database that cannot be used, in one line on standard error.

    It checks what is ours; all of the site, for which every page has to be loaded, is checked by what runs for long.
    """

    requires_system_checks: list[str] | Literal["__all__"] = [OURS]

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return a parser that raises CommandError instead of printing its usage and ending with code 2."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.called_from_command_line = False
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command; what its parser refuses ends like everything else that is refused."""
        try:
            super().run_from_argv(argv)
        except CommandError as error:  # the parser's: Django prints all others itself, unless asked for tracebacks
            if "--traceback" in argv:
                raise
            self.stderr.write(f"CommandError: {_shown(str(error))}; see manage.py {argv[1]} --help")
            sys.exit(1)
        except KeyboardInterrupt:
            self.stderr.write("Interrupted")
            sys.exit(INTERRUPTED)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run ``handle``; a database that is away or has no tables yet is said, with what to do."""
        try:
            return super().execute(*args, **options)
        except (OperationalError, ProgrammingError, InterfaceError) as error:
            step = "Check DATABASE_URL and that its server runs; a new database needs manage.py migrate first"
            raise CommandError(f"The database cannot be used: {reason_of(error)}. {step}") from error


def _shown(message: str) -> str:
    """Return the parser's message on one line. Of arguments that nobody asked for only the options' names are told:
    a word beside them may be a secret that was typed in the wrong place."""
    message = " ".join(message.removeprefix("Error: ").split())
    _before, found, words = message.partition(UNKNOWN)
    if not found:
        return message
    names = [word.partition("=")[0] for word in words.split() if word.startswith("--")]
    return f"there is no option {', '.join(names)}" if names else "there is a word too many"


@contextmanager
def progress_line(stream: OutputWrapper) -> Iterator[Callable[[str], None]]:
    """Give what shows how far something is: one line that is written over, on a terminal only."""
    shown = 0

    def show(words: str) -> None:
        nonlocal shown
        if stream.isatty():
            stream.write(f"\r{words:<{shown}}", ending="")
            shown = len(words)

    try:
        yield show
    finally:
        if shown:
            stream.write("\r" + " " * shown + "\r", ending="")
