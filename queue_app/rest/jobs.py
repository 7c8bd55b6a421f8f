"""Jobs as programs see them, and what an operator may do with one. Their arguments stay in the admin."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from ninja import Router
from pydantic import AwareDatetime, BaseModel, Field, WithJsonSchema

from queue_app import api, keys
from queue_app.api.lookup import locked
from queue_app.database import atomic
from queue_app.explain import explain
from queue_app.models import Job
from queue_app.rest.auth import Access, Request
from queue_app.rest.forms import HoldIn, JobOut, JobRow, RescheduleIn, RetryJobIn, told_executions, told_job
from queue_app.rest.operations import operation
from queue_app.rest.pages import DEFAULT_LIMIT, Page, page_of
from queue_app.rest.problems import not_found, understood
from queue_app.rest.schemas import Cursor, Id, Limit
from queue_app.selectors import every_job, in_queue, jobs_of
from queue_app.states import ALIASES, JobState

router = Router(tags=["jobs"])
READS = Access(keys.READ, ("queue_app.view_job",))
OPERATES = Access(keys.ADMIN, ("queue_app.operate_job",))

Word = Annotated[str, Field(max_length=100)]
State = Annotated[str, WithJsonSchema({"type": "string", "enum": ["", *JobState.values, *ALIASES], "default": ""})]


class JobPage(BaseModel):
    """Some jobs, and the cursor of those after them."""

    items: list[JobRow]
    next: str | None = Field(description="The `cursor` of the next page; none at the end.")


@operation(router, "GET", "/jobs", READS, {200: JobPage})
def list_jobs(
    request: Request,
    state: State = "",
    type: Word = "",  # noqa: A002 -- as the field is called
    queue: Word = "",
    priority: Annotated[int | None, Field(ge=1, le=10)] = None,
    cursor: Cursor = "",
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """List jobs, the newest first."""
    with understood():
        found = (jobs_of(state) if state else every_job()).filter(in_queue(queue or None))
    wanted = {"type": type or None, "priority": priority}
    found = found.filter(**{name: value for name, value in wanted.items() if value is not None})
    return _told_page(page_of(found, order="newest", orders={"newest": "-pk"}, cursor=cursor, limit=limit))


@operation(router, "GET", "/dead-letters", READS, {200: JobPage})
def list_dead_letters(
    request: Request,
    search: Annotated[Word, Field(description="Looked for in error, reason, target and type, or an id.")] = "",
    type: Word = "",  # noqa: A002 -- as the field is called
    queue: Word = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    cursor: Cursor = "",
    limit: Limit = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """List the jobs that failed for good, the last first."""
    with understood():
        found = api.dead_letters(search=search, type=type or None, queue=queue or None, since=since, until=until)
    return _told_page(page_of(found, order="last", orders={"last": "-finished_at"}, cursor=cursor, limit=limit))


@operation(router, "GET", "/jobs/{int:job_id}", READS, {200: JobOut})
def get_job(request: Request, job_id: Id) -> dict[str, Any]:
    """Read a job, why it is not running, and what became of its executions."""
    found = Job.objects.filter(pk=job_id).first()
    if found is None:
        raise not_found()
    return _told(request, found)


@operation(router, "POST", "/jobs/{int:job_id}/retry", OPERATES, {200: JobOut})
def retry_job(request: Request, job_id: Id, body: RetryJobIn | None = None) -> dict[str, Any]:
    """Run a failed, cancelled, held or uncertain job again, now."""
    even_if_live = body is not None and body.even_if_live

    def act() -> Job:
        with atomic():
            # Locked: between the look and the retry it cannot be sent once more.
            if not even_if_live and api.may_have_taken_effect(locked(job_id)):
                raise api.MayBeLive(job_id)
            return api.retry(job_id, actor=request.person.get_username())

    return _done(request, act)


@operation(router, "POST", "/jobs/{int:job_id}/cancel", OPERATES, {200: JobOut})
def cancel_job(request: Request, job_id: Id) -> dict[str, Any]:
    """Stop a job that is not being sent yet."""
    return _done(request, lambda: api.cancel(job_id, actor=request.person.get_username()))


@operation(router, "POST", "/jobs/{int:job_id}/hold", OPERATES, {200: JobOut})
def hold_job(request: Request, job_id: Id, body: HoldIn) -> dict[str, Any]:
    """Keep a job from running until it is released."""
    return _done(request, lambda: api.hold(job_id, body.reason, actor=request.person.get_username()))


@operation(router, "POST", "/jobs/{int:job_id}/release", OPERATES, {200: JobOut})
def release_job(request: Request, job_id: Id) -> dict[str, Any]:
    """Let a held job run."""
    return _done(request, lambda: api.release(job_id, actor=request.person.get_username()))


@operation(router, "POST", "/jobs/{int:job_id}/reschedule", OPERATES, {200: JobOut})
def reschedule_job(request: Request, job_id: Id, body: RescheduleIn) -> dict[str, Any]:
    """Move a waiting job to another time, and to another priority where one is given."""
    moved: dict[str, Any] = {"expires_at": body.expires_at, "priority": body.priority}
    return _done(request, lambda: api.reschedule(job_id, body.run_at, actor=request.person.get_username(), **moved))


@operation(router, "POST", "/jobs/{int:job_id}/check-again", OPERATES, {200: JobOut})
def check_job_again(request: Request, job_id: Id) -> dict[str, Any]:
    """Look up anew what became of an uncertain job."""
    return _done(request, lambda: api.check_again(job_id))


def _told(request: Request, job: Job) -> dict[str, Any]:
    said = explain(job)
    executions = told_executions(request, job.attempt_set.order_by("id"))
    more = {"explanation": said.text, "expected_at": said.expected_at, "executions": executions}
    return {**told_job(job), **more}


def _told_page(page: Page[Job]) -> dict[str, Any]:
    return {"items": [told_job(job) for job in page.rows], "next": page.next or None}


def _done(request: Request, act: Callable[[], Job]) -> dict[str, Any]:
    """Return the job after ``act``; what it is given and cannot be is 422."""
    with understood(HTTPStatus.UNPROCESSABLE_ENTITY):
        job = act()
    job.refresh_from_db()
    return _told(request, job)
