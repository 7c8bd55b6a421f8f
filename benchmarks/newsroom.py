"""What the day's benchmark does inside its site: write posts at a pace, and tell what became of them.

``python -m benchmarks.newsroom write COUNT A_SECOND``, and ``... tell``, which prints JSON.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections import Counter
from datetime import timedelta

import django

django.setup()


from django.core.files.base import ContentFile  # noqa: E402 -- models need Django
from PIL import Image  # noqa: E402

from posts.models import Account, Delivery  # noqa: E402
from posts.outbox.models import OutboxArrival  # noqa: E402
from posts.services.media import store_upload  # noqa: E402
from posts.services.posts import save_draft, schedule_post  # noqa: E402
from queue_app import clock  # noqa: E402

AHEAD = timedelta(seconds=2)


def write(count: int, a_second: float) -> None:
    """Write ``count`` posts with a picture, one account after the other, each scheduled ``AHEAD`` of its time."""
    accounts = list(Account.objects.order_by("pk"))
    picture = io.BytesIO()
    Image.new("RGB", (1200, 900), "teal").save(picture, "JPEG")
    media = store_upload(ContentFile(picture.getvalue(), name="a.jpg"), owner=None, original_name="a.jpg")
    began_at = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, began_at + number / a_second - time.monotonic()))
        post = save_draft(
            post=None,
            owner=None,
            text=f"News {number} of the day",
            account_ids=[accounts[number % len(accounts)].pk],
            media=[(media.pk, "A teal wall")],
        )
        schedule_post(post, at=clock.now() + AHEAD)


def tell() -> None:
    """Print every delivery in the order of writing: due, begun and ended (seconds), status, and how often it arrived.

    The network's own log says how often.
    """
    arrived = Counter(OutboxArrival.objects.filter(accepted=True).values_list("sender_key", flat=True))
    found = []
    for delivery in Delivery.objects.select_related("job", "post").order_by("pk"):
        job, due_at = delivery.job, delivery.post.scheduled_at
        attempt = job.attempt_set.order_by("pk").first() if job is not None else None
        times = [due_at, attempt and attempt.started_at, job and job.finished_at]
        seconds = [None if at is None else at.timestamp() for at in times]
        found.append([*seconds, delivery.status, arrived[delivery.uuid.hex]])
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(int(sys.argv[2]), float(sys.argv[3]))
    else:
        tell()
