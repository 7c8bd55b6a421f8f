"""The job that brings the post about an object of the host up to date, after a change of the object has committed."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.utils.text import capfirst

from posts.services.errors import Conflict, ServiceError
from posts.services.following import FOLLOW, FOLLOW_PRIORITY, follow_subject, read_subject
from queue_app.context import JobContext
from queue_app.models import Job
from queue_app.outcomes import Done, Fail, Failure, Outcome, Retry
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy


def describe(job: Job) -> str:
    """Return the object's name for people, as in "Article “On time”"."""
    try:
        subject = read_subject(apps.get_model(job.args["model"]), job.args["key"])
    except LookupError:
        subject = None
    if subject is None:
        return f"{job.args['model']} {job.args['key']}"
    return f"{capfirst(str(subject._meta.verbose_name))} “{subject}”"


@job_type(
    FOLLOW,
    priority=FOLLOW_PRIORITY,
    retry=RetryPolicy.exponential(max_attempts=6, base_seconds=10, cap_seconds=600),
    timeout_seconds=600,
    describe=describe,
)
def follow(context: JobContext, model: str, key: str) -> Outcome:
    """Follow one object; what its post would be refused for fails the job, in words, and people are told."""
    try:
        post = follow_subject(apps.get_model(model), key)
    except Conflict as error:
        return Retry(_failure(error))
    except (ServiceError, LookupError) as error:
        return Fail(_failure(error))
    return Done(_result(post))


def _result(post: Any) -> dict[str, Any]:
    return {"post": post.pk, "status": post.status} if post is not None else {"post": None}


def _failure(error: Exception) -> Failure:
    return Failure(type(error).__name__, str(error), code="subject_refused")
