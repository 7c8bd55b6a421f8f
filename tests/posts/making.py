"""Accounts, pictures and posts for tests of the services, and what a worker does to a delivery's job."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import time
from typing import Any

from django.contrib.auth.models import Permission, User

from posts.models import Account, Delivery, Media, Post, Slot
from posts.services.posts import publish_now, save_draft
from posts.services.slots import set_slots_timezone
from queue_app import clock, finish, transitions
from queue_app.claims import Claim
from queue_app.context import JobContext
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.outcomes import Done, Fail, Failure, Outcome, Uncertain
from queue_app.registry import get

ACTIONS = (
    "add_post",
    "change_post",
    "delete_post",
    "schedule_post",
    "publish_post",
    "reschedule_post",
    "retry_post",
    "cancel_post",
)
LIVE = Done({"id": "1", "url": "https://outbox.example/1", "response": {}})
REJECTED = Fail(Failure("ContentRejected", "Outbox refused the post.", code="content_rejected"))
NO_ANSWER = Uncertain(Failure("OutcomeUnknown", "No answer came.", code="outcome_unknown"))


def account(name: str = "Ada", platform: str = "outbox", **fields: Any) -> Account:
    fields.setdefault("identity_id", uuid.uuid4().hex)
    return Account.objects.create(name=name, platform=platform, **fields)


def with_slots(found: Account, zone: str, *slots: tuple[int, time]) -> Account:
    """Give the account these weekly slots: (day of the week, time of day)."""
    Slot.objects.bulk_create(Slot(account=found, weekday=day, wall_time=at) for day, at in slots)
    return set_slots_timezone(found, zone)


def picture(name: str = "cat.jpg", *, width: int = 800, height: int = 600, **fields: Any) -> Media:
    size = {"width": width, "height": height, "size_bytes": 1000}
    kind = {"original_name": name, "mime_type": "image/jpeg", "sha256": uuid.uuid4().hex * 2}
    return Media.objects.create(**{"file": f"media/aa/{uuid.uuid4().hex}", **kind, **size, **fields})


def user(name: str = "grace", *, may: Sequence[str] = ACTIONS, sees_all: bool = False) -> User:
    found = User.objects.create_user(name)
    wanted = [*may, "view_all_posts"] if sees_all else may
    found.user_permissions.set(Permission.objects.filter(content_type__app_label="posts", codename__in=wanted))
    return found


def draft(*accounts: Account, text: str = "Hello", media: Sequence[Media] = (), **fields: Any) -> Post:
    fields = {"owner": None, "account_ids": [found.pk for found in accounts], **fields}
    return save_draft(post=None, text=text, media=[(found.pk, "") for found in media], **fields)


def edit(post: Post, **changes: Any) -> Post:
    """Save the post's own fields once more, with ``changes``."""
    fields: dict[str, Any] = {
        "owner": None,
        "text": post.text,
        "account_ids": list(post.deliveries.order_by("pk").values_list("account_id", flat=True)),
        "media": list(post.post_media.values_list("media_id", "alt_text")),
        "language": post.language,
        "timezone": post.timezone,
        "priority": post.priority,
        "expires_at": post.expires_at,
    }
    return save_draft(post=post, **fields | changes)


def delivery(post: Post, of: Account | None = None) -> Delivery:
    """Return the post's delivery, or that on one account, as stored."""
    deliveries = post.deliveries.select_related("account", "job", "post")
    return deliveries.get(account=of) if of is not None else deliveries.get()


def job_of(found: Delivery) -> Job:
    job = delivery(found.post, found.account).job
    assert job is not None
    return job


def begin(found: Delivery, *, mark: bool = False) -> Claim:
    """Start the delivery's job as a worker does, up to its mark if asked."""
    job = job_of(found)
    with atomic():
        now = clock.now()
        attempt = transitions.start(job, None, now=now, lease_seconds=get(job.type).timeout, holder="tests")
    if mark:
        JobContext(job, "tests").before_irreversible_step()
    return Claim(job, attempt)


def end(found: Delivery, outcome: Outcome) -> Delivery:
    """Run the delivery's job to ``outcome``, past its mark."""
    claim = begin(found, mark=True)
    finish.settle(claim, outcome)
    return delivery(found.post, found.account)


def sent(*accounts: Account, outcome: Outcome = LIVE, **fields: Any) -> Post:
    """Return a post that went out on all accounts, or as far as ``outcome``."""
    post = publish_now(draft(*accounts, **fields))
    for found in post.deliveries.select_related("account", "post"):
        end(found, outcome)
    post.refresh_from_db()
    return post


def unsettled(*accounts: Account, **fields: Any) -> Post:
    """Return a post of which nobody can tell whether it is live, after the look-up gave up."""
    post = sent(*accounts, outcome=NO_ANSWER, **fields)
    for found in post.deliveries.select_related("account", "post"):
        with atomic():
            transitions.flag_for_review(job_of(found), "no_read_back", now=clock.now())
    return post
