"""Make an API key for a person and print it, once: parse, call the service."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from queue_app import clock, keys
from queue_app.management.base import OneLineCommand
from queue_app.people import person_called

MOST_DAYS = 36_500


class Command(OneLineCommand):
    help = "Make an API key for a person and print it. It is shown this once only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare whose key, what it may, its name and its end."""
        parser.add_argument("user", help="the person in whose name it asks, as they sign in")
        parser.add_argument(
            "--scope",
            action="append",
            default=[],
            help=f"what it may: {', '.join(keys.SCOPES)}; once for each (default: {keys.READ})",
        )
        parser.add_argument("--name", required=True, help="by which you will know it again")
        parser.add_argument("--days", type=int, default=0, help="ends in so many days (default: never)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key."""
        user = person_called(options["user"])
        if user is None:
            raise CommandError(f"There is no user “{options['user'][:150]}”")
        if not user.is_active:
            raise CommandError(f"{user.get_username()} may not sign in any more, so a key of theirs would not work")
        if not 0 <= options["days"] <= MOST_DAYS:
            raise CommandError(f"--days is a number from 0 (never) to {MOST_DAYS:,}, not {options['days']}")
        ends = clock.now() + timedelta(days=options["days"]) if options["days"] else None
        try:
            _key, secret = keys.create_key(
                user, name=options["name"], scopes=options["scope"] or [keys.READ], expires_at=ends
            )
        except ValueError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(secret)
