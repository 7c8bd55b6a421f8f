"""Write all posts as a CSV file that can be imported again: read and print."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.timezone import get_default_timezone_name

from posts.models import Account, Post, PostStatus
from posts.selectors.csv_export import exported_lines
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = "Write posts as CSV to standard output: manage.py export_posts > posts.csv. See docs/csv.md for its columns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--status", default="", help=f"only these: {', '.join(PostStatus.values)}")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the lines as they are read."""
        status = options["status"]
        if status not in ("", *PostStatus.values):
            raise CommandError(f"There is no status “{status[:40]}”; use one of {', '.join(PostStatus.values)}")
        posts = Post.objects.filter(status=status) if status else Post.objects.all()
        for line in exported_lines(posts, Account.objects.all(), zone=get_default_timezone_name()):
            self.stdout.write(line, ending="")
