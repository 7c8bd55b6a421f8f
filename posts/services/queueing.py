"""Deliveries and their jobs: queue, move, cancel, and the locks that every service takes first.

Owns the translation of the queue's refusals into words. Knows nothing of permissions, and judges no content. Lock
order everywhere: jobs, ascending, then their posts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.utils.translation import gettext

from posts import conf
from posts.models import Account, Delivery, DeliveryStatus, MediaKind, Post
from posts.services.errors import Conflict
from posts.services.telling import told_at_the_end
from queue_app import api
from queue_app.database import atomic
from queue_app.models import Job
from queue_app.states import JobState
from queue_app.transitions import LostRace

PUBLISH = "posts.publish"
RENDER_MEDIA = "posts.render_media"
# Pictures of what is due sooner are rendered by whoever publishes it: two would be no faster.
RENDERED_AHEAD = timedelta(seconds=30)
# From these a person may have it sent again; what was retried or stopped while nobody knew may be live all the same.
ENDED_WITHOUT_A_POST = (
    DeliveryStatus.CANCELLED,
    DeliveryStatus.EXPIRED,
    DeliveryStatus.FAILED,
    DeliveryStatus.HELD,
)


@contextmanager
def one_transaction() -> Iterator[None]:
    """Write all or nothing, and tell of it once; a race lost to a worker or another person is a Conflict."""
    try:
        with atomic(), told_at_the_end():
            yield
    except (LostRace, api.IllegalTransition, api.JobNotFound, api.DuplicateJob) as error:
        raise Conflict(
            gettext("The post has just moved on (%(error)s); look at it again") % {"error": error}
        ) from error


def lock_posts(post_ids: Sequence[int]) -> list[Post]:
    """Lock the posts and their jobs until the transaction ends; return the posts as stored, in the order asked for.

    Raises Conflict if one is gone.
    """
    jobs = Delivery.objects.filter(post__in=post_ids, job__isnull=False).values("job")
    list(Job.objects.select_for_update().filter(pk__in=jobs).order_by("pk").values_list("pk"))
    stored = {post.pk: post for post in Post.objects.select_for_update().filter(pk__in=post_ids).order_by("pk")}
    for post_id in post_ids:
        if post_id not in stored:
            raise Conflict(gettext("Post %(post_id)s no longer exists; somebody has deleted it") % {"post_id": post_id})
    return [stored[post_id] for post_id in post_ids]


def deliveries_of(post: Post) -> list[Delivery]:
    """Return the post's deliveries with accounts and jobs, oldest first."""
    return list(Delivery.objects.filter(post=post).select_related("account", "job", "post").order_by("pk"))


def may_be_live(delivery: Delivery) -> bool:
    """Say whether sending ``delivery`` could make a second post, because nobody knows what became of the first."""
    if delivery.status == DeliveryStatus.NEEDS_REVIEW:
        return True
    if delivery.status not in ENDED_WITHOUT_A_POST:
        return False
    # A purged job took its history with it; the snapshot that was frozen at its mark is still there.
    return api.may_have_taken_effect(delivery.job) if delivery.job is not None else delivery.snapshot is not None


def expiry_of(post: Post, at: datetime) -> datetime:
    """Return when a delivery of ``post`` that is due ``at`` is dropped."""
    return post.expires_at or at + timedelta(hours=conf.get("EXPIRE_AFTER_HOURS"))


def queue_delivery(delivery: Delivery, post: Post, *, at: datetime, now: datetime, actor: str) -> Job:
    """Have ``delivery`` published ``at``: by its own job where that ended without a post, else by a new one."""
    job, expires_at = delivery.job, expiry_of(post, at)
    if job is not None:
        job = api.retry(job.pk, actor=actor, expires_at=expires_at)
        if at > now or job.priority != post.priority:
            job = api.reschedule(job.pk, at, expires_at=expires_at, priority=post.priority, actor=actor)
        return job
    account = delivery.account
    job = api.enqueue(
        PUBLISH,
        {"delivery_id": delivery.pk},
        target_id=delivery.pk,
        unique_key=f"delivery:{delivery.uuid.hex}",
        keys=keys_of(post, account),
        run_at=at,
        expires_at=expires_at,
        priority=post.priority,
        actor=actor,
    )
    Delivery.objects.filter(pk=delivery.pk).update(job=job, status=DeliveryStatus.SCHEDULED)
    render_ahead(post, at=at, now=now, actor=actor)
    return job


def render_ahead(post: Post, *, at: datetime, now: datetime, actor: str) -> None:
    """Have the pictures of ``post`` rendered before it is due; one job for all its accounts, whoever asks for it."""
    if at - now >= RENDERED_AHEAD and post.media.filter(kind=MediaKind.IMAGE).exists():
        key = f"render:{post.pk}"
        api.enqueue(RENDER_MEDIA, {"post_id": post.pk}, unique_key=key, on_duplicate="return", actor=actor)


def keys_of(post: Post, account: Account) -> list[str]:
    """Return what a delivery can be paused and limited by: its account, its platform, and its post's owner."""
    owner = [f"user:{post.owner_id}"] if post.owner_id is not None else []
    return [account.block_key, f"platform:{account.platform}", *owner]


def move_delivery(delivery: Delivery, post: Post, *, at: datetime, expires_at: datetime, actor: str) -> None:
    """Move a scheduled delivery to ``at``, with the post's priority. One that is held stays as it is."""
    job = delivery.job
    if job is not None and job.state == JobState.PENDING:
        api.reschedule(job.pk, at, expires_at=expires_at, priority=post.priority, actor=actor)


def cancel_job_of(delivery: Delivery, *, actor: str) -> bool:
    """Cancel the delivery's job; false if it is already being sent."""
    if delivery.job is None:
        # Its job was deleted behind our back: nothing will ever run.
        Delivery.objects.filter(pk=delivery.pk).update(status=DeliveryStatus.CANCELLED)
        return True
    try:
        api.cancel(delivery.job.pk, actor=actor)
    except api.MarkedJob:
        return False
    return True
