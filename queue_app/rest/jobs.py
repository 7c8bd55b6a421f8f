"""Jobs as programs see them. Their arguments stay in the admin."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Router
from pydantic import BaseModel

from queue_app import keys
from queue_app.explain import explain
from queue_app.models import Job
from queue_app.rest.auth import Access, Request
from queue_app.rest.operations import operation
from queue_app.rest.problems import not_found
from queue_app.rest.schemas import Id

router = Router(tags=["jobs"])
READS = Access(keys.READ, ("queue_app.view_job",))


class JobOut(BaseModel):
    """A job, and why it is not running."""

    id: int
    type: str
    queue: str
    priority: int
    state: str
    label: str
    explanation: str
    due_at: datetime
    expires_at: datetime | None
    attempts: int
    max_attempts: int
    last_error: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@operation(router, "GET", "/jobs/{int:job_id}", READS, {200: JobOut})
def get_job(request: Request, job_id: Id) -> dict[str, Any]:
    """Read a job and why it is not running."""
    found = Job.objects.filter(pk=job_id).first()
    if found is None:
        raise not_found()
    return {
        **{name: getattr(found, name) for name in JobOut.model_fields if hasattr(found, name)},
        "label": found.get_state_display(),
        "explanation": explain(found).text,
        "due_at": found.run_at,
    }
