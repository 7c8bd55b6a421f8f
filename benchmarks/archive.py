"""What the pages' benchmark does inside its site: fill years of posts and jobs, and ask for the pages.

``python -m benchmarks.archive fill POSTS JOBS``, and ``... look ROUNDS``, which prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from http import HTTPStatus
from itertools import islice
from typing import Any

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 -- models need Django
from django.db import connection  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from posts.models import Account, Delivery, Media, Post, PostMedia  # noqa: E402
from queue_app import clock  # noqa: E402
from queue_app.models import Job, Notice  # noqa: E402
from tests.filled import TEXTS, ZONE, fill  # noqa: E402
from tests.walk import addresses  # noqa: E402

ACCOUNTS, PICTURES, BATCH = 20, 5_000, 2_000
DAYS_BACK, DAYS_AHEAD = 700, 300
PAGES = ("_changelist", "index", "_dashboard", "_calendar", "_change")
# One in so many of the posts that were due failed, and waits for a person.
FAILED, UNCLEAR, DRAFTS = 50, 500, 20

ATTEMPTS = """
INSERT INTO queue_app_attempt (job_id, number, fence, worker, started_at, finished_at, outcome, error_class, code,
  message, traceback, late_answer)
SELECT id, 1, 1, 'press-1', started_at, finished_at, CASE WHEN state = 'uncertain' THEN 'uncertain'
  WHEN state = 'failed' THEN 'failed' ELSE 'completed' END, '', '', last_error, '', ''
FROM queue_app_job WHERE target_id LIKE 'archive:%' AND started_at IS NOT NULL"""
EVENTS = """
INSERT INTO queue_app_event (job_id, at, name, source, target, reason, actor, data)
SELECT id, created_at, 'job_added', '', 'pending', '', '', '{}' FROM queue_app_job WHERE target_id LIKE 'archive:%'"""
ENDS = """
INSERT INTO queue_app_event (job_id, at, name, source, target, reason, actor, data)
SELECT id, finished_at, 'status_updated', 'running', state, '', 'press-1', '{}'
FROM queue_app_job WHERE target_id LIKE 'archive:%' AND finished_at IS NOT NULL"""
HISTORY = """
INSERT INTO django_admin_log (action_time, user_id, content_type_id, object_id, object_repr, action_flag,
  change_message)
SELECT created_at, owner_id, (SELECT id FROM django_content_type WHERE app_label = 'posts' AND model = 'post'),
  CAST(id AS varchar(20)), 'A post', 2, 'Rescheduled.' FROM posts_post WHERE owner_id IS NOT NULL"""

Figures = dict[str, Any]


def fill_archive(posts: int, jobs: int) -> None:
    """Fill a newsroom's site, then ``posts`` with a delivery each and ``jobs`` in all, spread over a thousand days."""
    fill()
    admin = User.objects.get(username="admin")
    made = Account.objects.bulk_create(
        Account(platform="outbox", name=f"Paper {number}", identity_id=f"paper-{number}", owner=admin)
        for number in range(ACCOUNTS)
    )
    pictures = Media.objects.bulk_create(_picture(admin, number) for number in range(PICTURES))
    numbers = iter(range(posts))
    while batch := list(islice(numbers, BATCH)):
        _add_posts(batch, posts, admin, made, pictures)
    others = iter(_other_jobs(jobs - posts))
    while more := list(islice(others, BATCH)):
        Job.objects.bulk_create(more)
    Notice.objects.bulk_create(
        Notice(kind="failed", subject=f"Paper {number}", created_at=clock.now(), cleared_at=clock.now())
        for number in range(BATCH)
    )
    with connection.cursor() as cursor:
        for statement in (ATTEMPTS, EVENTS, ENDS, HISTORY, "ANALYZE"):
            cursor.execute(statement)


def look(rounds: int) -> list[Figures]:
    """Ask for each page ``rounds`` times as a superuser; return seconds and queries, and those of the stock list."""
    client = Client()
    client.force_login(User.objects.get(username="admin"))
    found = []
    with override_settings(ROOT_URLCONF="benchmarks.stock"):
        for name, urls in addresses(_rows).items():
            if not name.endswith(PAGES) or name.startswith("auth_"):
                continue
            for url in dict.fromkeys(url.replace("?p=2", "") for url in urls[: 6 if "calendar" in name else 1]):
                figures = {"page": name, "url": url, **_measured(client, url, rounds)}
                if figures["status"] == HTTPStatus.FOUND:  # a row of the history leads to what it is about
                    continue
                if name.endswith("_changelist"):
                    figures["stock"] = _measured(client, url.replace("/admin/", "/stock/", 1), rounds)
                found.append(figures)
    return found


def _measured(client: Client, url: str, rounds: int) -> Figures:
    seconds = []
    for _round in range(rounds + 1):
        began_at = time.perf_counter()
        answer = client.get(url)
        seconds.append(time.perf_counter() - began_at)
    with CaptureQueriesContext(connection) as asked:
        client.get(url)
    slowest = max(asked.captured_queries, key=lambda query: float(query["time"]), default={"sql": "", "time": "0"})
    return {
        "status": answer.status_code,
        "seconds": seconds[1:],  # the first fills what a process keeps
        "queries": len(asked),
        "slowest_query": slowest["sql"][:400],
        "slowest_query_seconds": float(slowest["time"]),
    }


def _rows(query: str) -> Sequence[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _picture(admin: User, number: int) -> Media:
    return Media(
        owner=admin, file=f"media/archive/{uuid.uuid4().hex}", original_name=f"picture-{number}.jpg",
        mime_type="image/jpeg", width=1200, height=800, size_bytes=200_000, sha256=uuid.uuid4().hex * 2,
        alt_text="A river", is_in_library=number % 2 == 0,
    )  # fmt: skip


def _add_posts(
    numbers: Sequence[int], total: int, admin: User, accounts: Sequence[Account], pictures: Sequence[Media]
) -> None:
    now, posts, jobs = clock.now(), [], []
    for number in numbers:
        at = now + timedelta(days=DAYS_AHEAD) - timedelta(days=DAYS_BACK + DAYS_AHEAD) * (number + 1) / total
        status, state = _ended(number) if at < now else ("scheduled", "pending")
        account = accounts[number % len(accounts)]
        text = f"{TEXTS[number % len(TEXTS)]} ({number})"
        posts.append(Post(owner=admin, text=text, status=status, scheduled_at=at, timezone=ZONE))
        jobs.append(_job("posts.publish", state, at, number, [account.block_key, f"platform:{account.platform}"]))
    stored = zip(numbers, Post.objects.bulk_create(posts), Job.objects.bulk_create(jobs), strict=True)
    deliveries, attached = [], []
    for number, post, job in stored:
        live = job.finished_at if post.status == "published" else None
        deliveries.append(
            Delivery(
                post=post,
                account=accounts[number % len(accounts)],
                job=job,
                status=post.status,
                published_at=live,
                error_message=job.last_error,
                url=f"https://outbox.example/{number}" if live else "",
            )
        )
        if number % 3 == 0:
            attached.append(PostMedia(post=post, media=pictures[number % len(pictures)], alt_text="A river"))
    Delivery.objects.bulk_create(deliveries)
    PostMedia.objects.bulk_create(attached)


def _ended(number: int) -> tuple[str, str]:
    if number % UNCLEAR == 0:
        return "needs_review", "uncertain"
    return ("failed", "failed") if number % FAILED == 0 else ("published", "completed")


def _other_jobs(count: int) -> Iterator[Job]:
    now = clock.now()
    for number in range(count):
        at = now - timedelta(days=DAYS_BACK) * (number + 1) / max(count, 1)
        yield _job("posts.render_media", "failed" if number % 100 == 0 else "completed", at, number, [])


def _job(kind: str, state: str, at: Any, number: int, keys: list[str]) -> Job:
    ended, until = state != "pending", at + timedelta(seconds=2)
    return Job(
        type=kind, state=state, run_at=at, keys=keys, target_id=f"archive:{kind}:{number}", attempts=int(ended),
        max_attempts=5, created_at=at - timedelta(days=2), updated_at=until if ended else at - timedelta(days=2),
        started_at=at if ended else None, finished_at=until if ended and state != "uncertain" else None,
        marked_at=at if state == "uncertain" else None, needs_review_at=until if state == "uncertain" else None,
        last_error="Outbox refused the post." if state == "failed" else "",
    )  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill_archive(int(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(look(int(sys.argv[2]))))
