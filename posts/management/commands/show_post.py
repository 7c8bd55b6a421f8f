"""Show one post and where each of its deliveries stands: read and print."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError

from posts.selectors.posts import DeliveryDetail, PostDetail, post_detail
from queue_app.management.base import OneLineCommand


class Command(OneLineCommand):
    help = "Show a post: its state, and for each account whether it is out, where, and why not yet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the post's id and --json."""
        parser.add_argument("id", help="the post's id, as schedule_post prints it")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the post."""
        word = options["id"]
        if not (word.isascii() and word.isdigit() and len(word) < 19):
            raise CommandError(f"A post's id is a number, not “{word[:40]}”")
        post = post_detail(int(word))
        if post is None:
            raise CommandError(f"There is no post {word}; it may have been deleted")
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(post)))
            return
        self.stdout.write(f"Post {post.id}: {post.status_label}{_when(post)}")
        self.stdout.write(f"  {' '.join(post.text.split()) or '(no text)'}")
        for delivery in post.deliveries:
            self._print(delivery)

    def _print(self, delivery: DeliveryDetail) -> None:
        attempts = "" if delivery.attempts is None else f", attempts: {delivery.attempts}"
        name = " ".join(delivery.account_name.split())
        self.stdout.write(
            f"- {name} ({delivery.platform}, account {delivery.account}): {delivery.status_label}{attempts}"
        )
        for line in (delivery.url, delivery.explanation, delivery.next_step):
            if line:
                self.stdout.write(f"    {' '.join(line.split())}")


def _when(post: PostDetail) -> str:
    if post.scheduled_at is None:
        return ""
    local = post.scheduled_at.astimezone(ZoneInfo(post.timezone))
    return f", scheduled for {local:%Y-%m-%d %H:%M:%S} ({post.timezone})"


def _as_json(post: PostDetail) -> dict[str, Any]:
    return {
        "id": post.id,
        "status": post.status,
        "text": post.text,
        "scheduled_at": post.scheduled_at.isoformat() if post.scheduled_at else None,
        "timezone": post.timezone,
        "deliveries": [
            {
                "account": delivery.account,
                "account_name": delivery.account_name,
                "platform": delivery.platform,
                "status": delivery.status,
                "url": delivery.url,
                "attempts": delivery.attempts,
                "explanation": delivery.explanation,
            }
            for delivery in post.deliveries
        ],
    }
