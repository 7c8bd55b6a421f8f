"""What monitors are told of posts: how many there are in each status, which accounts wait for a login, what ended."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count

from posts.models import Account, Post, PostStatus
from posts.selectors.accounts import RECONNECT
from queue_app import totals
from queue_app.metrics import Metric

PLATFORM_KEY = "platform:"


def metrics_of_posts() -> Iterator[Metric]:
    """Yield the metrics; three queries, by indexes."""
    posts = Metric("posts", "Posts that are kept, by status.", labels=("status",))
    found = dict(Post.objects.values_list("status").annotate(Count("id")).order_by())
    for status in PostStatus.values:
        posts.add(found.get(status, 0), status)
    accounts = Metric("accounts", "Accounts that are enabled, by platform.", labels=("platform",))
    waiting = Metric(
        "accounts_to_reconnect", "Enabled accounts whose posts wait for somebody to log in.", labels=("platform",)
    )
    enabled = Account.objects.filter(enabled=True).values_list("platform").order_by("platform")
    reconnect = dict(Account.objects.filter(RECONNECT).values_list("platform").annotate(Count("id")).order_by())
    for platform, number in enabled.annotate(Count("id")):
        accounts.add(number, platform)
        waiting.add(reconnect.get(platform, 0), platform)
    ended = Metric(
        "deliveries_ended",
        "Deliveries whose job ended (completed: published), since counting began.",
        "counter",
        ("platform", "outcome"),
    )
    for platform, outcome, number in totals.by_key(PLATFORM_KEY):
        ended.add(number, platform, outcome)
    yield from (posts, accounts, waiting, ended)
