"""What the day's benchmark does inside its site: connect accounts, write posts by a timetable, tell what became of all.

``python -m benchmarks.newsroom connect URL COUNT``, ``... write TIMETABLE``, ``... reconnect ACCOUNT URL`` and
``... tell``, which prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django

django.setup()


from posts.models import Account, Delivery, Post  # noqa: E402 -- models need Django
from posts.services.accounts import connect_account, reconnect_account  # noqa: E402
from posts.services.errors import ValidationFailed  # noqa: E402
from posts.services.posts import save_draft, schedule_post  # noqa: E402
from queue_app.models import Attempt  # noqa: E402

SOONEST_SECONDS = 0.5
SECRET = "whsec_bm90LWEtc2VjcmV0LW9mLWFueS1zaXRlLWF0LWFsbCE="  # noqa: S105 -- the receiver looks at no signature


def connect(url: str, count: int) -> None:
    """Connect accounts to the receiver; print their numbers."""
    made = [connect_account("webhook", {"url": f"{url}/{number}", "secret": SECRET}) for number in range(count)]
    print(json.dumps([account.pk for account in made]))


def write(path: Path) -> None:
    """Write each post of the timetable, [seconds, account], and schedule it, an hour of the day ahead of its time.

    Says when it is ready, and is told when the day begins; says at the end how many it was late with. While an account
    must be reconnected its posts stay drafts.
    """
    timetable = json.loads(path.read_text())
    Account.objects.first()
    print("ready", flush=True)
    begin, late = float(sys.stdin.readline()), 0
    drafts: deque[tuple[Post, float]] = deque()
    for number, (seconds, account) in enumerate(timetable["posts"]):
        at = begin + seconds
        time.sleep(max(0.0, at - timetable["ahead_seconds"] - time.time()))
        text = f"News {number} of the day, at {seconds:.3f}"
        drafts.append((save_draft(post=None, owner=None, text=text, account_ids=[account], media=[]), at))
        late += _schedule(drafts)
    while drafts:
        time.sleep(0.2)
        late += _schedule(drafts)
    print(late)


def _schedule(drafts: deque[tuple[Post, float]]) -> int:
    """Schedule every draft whose account can be posted to; return for how many it was too late."""
    late = 0
    for _ in range(len(drafts)):
        post, at = drafts.popleft()
        soonest = time.time() + SOONEST_SECONDS
        try:
            schedule_post(post, at=datetime.fromtimestamp(max(at, soonest), UTC))
        except ValidationFailed:
            drafts.append((post, at))
        else:
            late += soonest > at
    return late


def reconnect(account: int, url: str) -> None:
    """Give the account its login again."""
    reconnect_account(Account.objects.get(pk=account), {"url": url, "secret": SECRET})


def tell() -> None:
    """Print ``deliveries``: account, key, due, begun, out (seconds), status; and ``attempts``: queue, begun, ended."""
    deliveries = Delivery.objects.select_related("job", "post").order_by("pk")
    first = dict(Attempt.objects.filter(number=1, job__type="posts.publish").values_list("job", "started_at"))
    rows = [
        [
            delivery.account_id,
            delivery.uuid.hex,
            *(_seconds(at) for at in (delivery.post.scheduled_at, first.get(delivery.job_id), delivery.published_at)),
            delivery.status,
        ]
        for delivery in deliveries
    ]
    attempts = Attempt.objects.filter(finished_at__isnull=False).values_list("job__queue", "started_at", "finished_at")
    told = {
        "deliveries": rows,
        "attempts": [[queue, _seconds(begun), _seconds(ended)] for queue, begun, ended in attempts],
    }
    print(json.dumps(told))


def _seconds(at: Any) -> float | None:
    return None if at is None else at.timestamp()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["connect", url, count]:
            connect(url, int(count))
        case ["write", timetable]:
            write(Path(timetable))
        case ["reconnect", account, url]:
            reconnect(int(account), url)
        case ["tell"]:
            tell()
