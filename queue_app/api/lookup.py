"""Finding the job that a caller names: to look at it, to explain it, to lock it for a change. Decides nothing."""

from __future__ import annotations

from queue_app import explain as explaining
from queue_app import given
from queue_app.errors import JobNotFound
from queue_app.explain import Explanation
from queue_app.models import Job


def get(job_id: int | str) -> Job:
    """Return the job; raise JobNotFound, or ValueError for an id that is none."""
    job = Job.objects.filter(pk=given.job_id(job_id)).first()
    if job is None:
        raise JobNotFound(job_id)
    return job


def get_status(job_id: int | str) -> str:
    """Return the job's state as a word such as ``pending``; raises as ``get``."""
    state = Job.objects.filter(pk=given.job_id(job_id)).values_list("state", flat=True).first()
    if state is None:
        raise JobNotFound(job_id)
    return state


def explain(job: Job | int | str) -> Explanation:
    """Say in words where a job stands, what keeps it from running, and when it will run; an id raises as ``get``."""
    return explaining.explain(job if isinstance(job, Job) else get(job))


def locked(job_id: int | str) -> Job:
    """Return the job with its row locked until the caller's transaction ends; raises as ``get``."""
    job = Job.objects.select_for_update().filter(pk=given.job_id(job_id)).first()
    if job is None:
        raise JobNotFound(job_id)
    return job
