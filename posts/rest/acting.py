"""What is done to whole posts: retry, cancel, publish now, and queueing one upload for several platforms."""

from __future__ import annotations

from typing import Annotated, Any

from django.contrib.admin.models import ADDITION, CHANGE
from django.utils.translation import gettext as _
from pydantic import BaseModel, Field

from posts.models import Delivery, Post
from posts.rest.posts import router, shown, visible_post
from posts.rest.schemas import MOST_PLATFORMS, Files, In, PostOut
from posts.rest.writing import record
from posts.services import cancel_post, publish_now, queue_posts, queueing, retry_post
from queue_app import keys
from queue_app.rest.auth import Access, Request
from queue_app.rest.operations import operation
from queue_app.rest.schemas import Id, with_examples

PUBLISHES = Access(keys.PUBLISH, ("posts.publish_post",))
RETRIES = Access(keys.PUBLISH, ("posts.retry_post",))
CANCELS = Access(keys.PUBLISH, ("posts.cancel_post",))
SCHEDULES = Access(keys.PUBLISH, ("posts.schedule_post",))


class PostRetryIn(In):
    """How far a retry may go."""

    model_config = with_examples({"even_if_uncertain": False})

    even_if_uncertain: bool = Field(False, description="Also what may be live already: it could be published twice.")


class RetriedOut(BaseModel):
    """The jobs that publish again, and the post."""

    job_ids: list[int]
    post: PostOut


class CancelledOut(BaseModel):
    """What a cancellation found, and the post."""

    cancelled: bool = Field(description="Whether there was anything in the queue to cancel.")
    jobs_cancelled: int
    refused: list[int] = Field(description="Deliveries that are being sent, or may be live: they are as they were.")
    post: PostOut


class QueueIn(In):
    """One upload for several platforms, a post each, one after the other."""

    model_config = with_examples({"text": "Hello", "platforms": ["outbox"], "start_delay_minutes": 5})

    platforms: Annotated[list[str], Field(max_length=MOST_PLATFORMS, examples=[["bluesky", "mastodon"]])]
    media: Files = []
    text: str = ""
    start_delay_minutes: float = Field(0, ge=0, description="How long from now the first is due.")
    interval_minutes: float = Field(60, ge=0, description="How much later each further one is due.")


class QueuedOut(BaseModel):
    """The jobs and posts that were made, in the order of the platforms."""

    job_ids: list[int]
    post_ids: list[int]


@operation(router, "POST", "/posts/{int:post_id}/retry", RETRIES, {200: RetriedOut})
def retry_failed(request: Request, post_id: Id, body: PostRetryIn | None = None) -> dict[str, Any]:
    """Publish again, now, what of a post failed or expired."""
    post = visible_post(request, post_id)
    even_if_uncertain = body is not None and body.even_if_uncertain
    with queueing.one_transaction():
        found = retry_post(post, actor=request.person, even_if_uncertain=even_if_uncertain)
        record(request, post, CHANGE, _("Retried"))
    return {"job_ids": [each.job_id for each in found], "post": shown(request, post)}


@operation(router, "POST", "/posts/{int:post_id}/cancel", CANCELS, {200: CancelledOut})
def cancel_waiting(request: Request, post_id: Id) -> dict[str, Any]:
    """Take a post out of the queue; say whether it was in it."""
    post = visible_post(request, post_id)
    with queueing.one_transaction():
        report = cancel_post(post, actor=request.person)
        if report.cancelled:
            record(request, post, CHANGE, _("Cancelled"))
    return {
        "cancelled": report.cancelled > 0,
        "jobs_cancelled": report.cancelled,
        "refused": [each.pk for each in report.refused],
        "post": shown(request, post),
    }


@operation(router, "POST", "/posts/{int:post_id}/publish-now", PUBLISHES, {200: PostOut})
def publish_at_once(request: Request, post_id: Id) -> dict[str, Any]:
    """Publish a post now, whether it is a draft or scheduled for later."""
    post = visible_post(request, post_id)
    with queueing.one_transaction():
        publish_now(post, actor=request.person)
        record(request, post, CHANGE, _("Published now"))
    return shown(request, post)


@operation(router, "POST", "/posts/queue", SCHEDULES, {201: QueuedOut})
def queue_spaced(request: Request, body: QueueIn) -> dict[str, Any]:
    """Queue one upload for several platforms: a post each, to all enabled accounts, spaced.

    All or none. Needs the permission to write posts, too.
    """
    person = request.person
    with queueing.one_transaction():
        job_ids = queue_posts(
            [(each.id, each.alt) for each in body.media],
            body.platforms,
            body.start_delay_minutes,
            body.interval_minutes,
            owner=person,
            text=body.text,
            actor=person,
        )
        made = Delivery.objects.filter(job__in=job_ids).order_by("post").values_list("post", flat=True).distinct()
        posts = list(Post.objects.filter(pk__in=made).order_by("pk"))
        for post in posts:
            record(request, post, ADDITION, _("Queued"))
    return {"job_ids": job_ids, "post_ids": [post.pk for post in posts]}
