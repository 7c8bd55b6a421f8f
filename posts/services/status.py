"""Keeps ``Delivery.status`` and ``Post.status`` true: called inside the transaction of every change of a job.

Lock order everywhere: jobs, ascending, then their post.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from posts.models import Delivery, DeliveryStatus, Post, PostStatus
from posts.services import telling
from queue_app.models import Event, Job
from queue_app.states import JobState

DELIVERY_STATUS: Mapping[str, DeliveryStatus] = {
    JobState.PENDING: DeliveryStatus.SCHEDULED,
    JobState.RUNNING: DeliveryStatus.PUBLISHING,
    JobState.HELD: DeliveryStatus.HELD,
    JobState.UNCERTAIN: DeliveryStatus.NEEDS_REVIEW,
    JobState.COMPLETED: DeliveryStatus.PUBLISHED,
    JobState.FAILED: DeliveryStatus.FAILED,
    JobState.CANCELLED: DeliveryStatus.CANCELLED,
}

Statuses = set[str]
# What the columns of a delivery hold.
ID_CHARACTERS, LINK_CHARACTERS = 300, 500

# The first rule that matches names the post's status.
POST_RULES: tuple[tuple[PostStatus, Callable[[Statuses], bool]], ...] = (
    (PostStatus.NEEDS_REVIEW, lambda found: DeliveryStatus.NEEDS_REVIEW in found),
    (PostStatus.PUBLISHING, lambda found: DeliveryStatus.PUBLISHING in found),
    (PostStatus.SCHEDULED, lambda found: bool(found & {DeliveryStatus.SCHEDULED, DeliveryStatus.HELD})),
    (PostStatus.DRAFT, lambda found: found <= {DeliveryStatus.DRAFT}),
    (PostStatus.PUBLISHED, lambda found: found == {DeliveryStatus.PUBLISHED}),
    (PostStatus.PARTIALLY_PUBLISHED, lambda found: DeliveryStatus.PUBLISHED in found),
    (PostStatus.FAILED, lambda found: DeliveryStatus.FAILED in found),
    (PostStatus.EXPIRED, lambda found: DeliveryStatus.EXPIRED in found),
    (PostStatus.CANCELLED, lambda found: True),
)


def follow_job(job: Job, event: Event) -> None:
    """Bring the delivery of a publish job, and its post, up to the job's new state."""
    if event.source == event.target or not event.source:
        return
    status = DELIVERY_STATUS[job.state]
    if job.state == JobState.CANCELLED and job.reason == "expired":
        status = DeliveryStatus.EXPIRED
    values: dict[str, Any] = {"status": status}
    if job.state == JobState.COMPLETED:
        values |= _published(job)
    elif job.state in (JobState.FAILED, JobState.UNCERTAIN):
        values |= {"error_code": job.reason, "error_message": job.last_error}
    delivery_id = job.args["delivery_id"]
    Delivery.objects.filter(pk=delivery_id).update(**values)
    post_id = Delivery.objects.filter(pk=delivery_id).values_list("post_id", flat=True).first()
    if post_id is not None:
        # A worker's name is no person's.
        sync_post_status(post_id, actor="" if job.state == JobState.RUNNING else event.actor)


def sync_post_status(post_id: int, *, actor: str = "") -> PostStatus | None:
    """Write the status that follows from the post's deliveries, and tell of it; return it, ``None`` for no post.

    Locks the post, so that two deliveries that end at once do not both miss the other.
    """
    post = Post.objects.select_for_update().filter(pk=post_id).only("status", "owner_id", "scheduled_at").first()
    if post is None:
        return None
    deliveries = telling.facts_of(post_id)
    status, before = status_of({found["status"] for found in deliveries}), post.status
    if status != before:
        Post.objects.filter(pk=post_id).update(status=status)
        post.status = status
        telling.status_changed(post, before, deliveries, actor)
    return status


def status_of(deliveries: Statuses) -> PostStatus:
    """Return the status of a post whose deliveries have these statuses. Pure."""
    return next(status for status, matches in POST_RULES if matches(deliveries))


def _published(job: Job) -> dict[str, Any]:
    """Return what a delivery keeps of its job's result. An id or link that is absurdly long must not undo the success:
    the id is cut, and a link, which would then lead elsewhere, left out; the job's result has both."""
    result = job.result or {}
    identifier, url = result.get("id", ""), result.get("url", "")
    parts = [{**part, "response": {}, "settled": True} for part in result.get("parts", [])]
    return {
        **({"live": parts} if parts else {}),
        "platform_post_id": identifier[:ID_CHARACTERS],
        "url": url if len(url) <= LINK_CHARACTERS else "",
        "response": result.get("response", {}),
        "progress": {},
        "published_at": job.finished_at,
        "error_code": "",
        "error_message": "",
        "error_field": "",
    }
