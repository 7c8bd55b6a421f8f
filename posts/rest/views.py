"""One post, one delivery, one job, in the words of their pages in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse

from posts.models import Delivery
from posts.rest.entry import not_found, reads
from posts.rest.problems import answer
from posts.selectors.posts import DeliveryDetail, delivery_detail, post_detail, visible_posts
from queue_app.explain import explain
from queue_app.models import Job

if TYPE_CHECKING:
    from django.contrib.auth.models import User

VIEW_POST, VIEW_DELIVERY, VIEW_JOB = "posts.view_post", "posts.view_delivery", "queue_app.view_job"


@reads(VIEW_POST)
def post(person: User, pk: int) -> dict[str, Any]:
    """Return a post with its deliveries."""
    found = post_detail(pk) if visible_posts(person).filter(pk=pk).exists() else None
    if found is None:
        raise not_found()
    return {
        "id": found.id,
        "state": found.status,
        "label": found.status_label,
        "text": found.text,
        "scheduled_at": found.scheduled_at,
        "wall_time": found.wall_time,
        "timezone": found.timezone,
        "deliveries": [_delivery(each) for each in found.deliveries],
    }


@reads(VIEW_DELIVERY, VIEW_POST)
def delivery(person: User, pk: int) -> dict[str, Any]:
    """Return where one post stands on one account, why, and what to do next."""
    rows = Delivery.objects.filter(post__in=visible_posts(person)).select_related("post", "account", "job")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise not_found()
    return {**_delivery(delivery_detail(found)), "post": found.post_id, "job": found.job_id}


@reads(VIEW_JOB)
def job(person: User, pk: int) -> dict[str, Any]:
    """Return a job and why it is not running. Its arguments stay in the admin."""
    found = Job.objects.filter(pk=pk).first()
    if found is None:
        raise not_found()
    return {
        "id": found.pk,
        "type": found.type,
        "queue": found.queue,
        "priority": found.priority,
        "state": found.state,
        "label": found.get_state_display(),
        "explanation": explain(found).text,
        "due_at": found.run_at,
        "expires_at": found.expires_at,
        "attempts": found.attempts,
        "max_attempts": found.max_attempts,
        "last_error": found.last_error,
        "created_at": found.created_at,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
    }


def nothing(request: HttpRequest, rest: str) -> HttpResponse:
    """Answer an address that the API does not have as programs expect it."""
    return answer(not_found())


def _delivery(found: DeliveryDetail) -> dict[str, Any]:
    return {
        "id": found.id,
        "account": {"id": found.account, "name": found.account_name, "platform": found.platform},
        "state": found.status,
        "label": found.status_label,
        "explanation": found.explanation,
        "next_step": found.next_step,
        "url": found.url,
        "attempts": found.attempts,
        "published_at": found.published_at,
    }
