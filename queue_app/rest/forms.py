"""What the queue's operations take in bodies, and are told in answers: jobs, and the executions of one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema

from queue_app import keys
from queue_app.explain import words
from queue_app.models import PRIORITY_FIRST, PRIORITY_LAST, Attempt, Job
from queue_app.priorities import PRIORITY_NAMES, number_of
from queue_app.rest.auth import Request
from queue_app.rest.schemas import with_examples

_SAME = (
    "id type queue priority state due_at expires_at attempts max_attempts last_error created_at started_at finished_at"
)
_PRIORITY_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": PRIORITY_FIRST, "maximum": PRIORITY_LAST},
        {"type": "string", "enum": list(PRIORITY_NAMES)},
    ],
    "description": "1 (first) to 10 (last), or a name.",
}


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a time is text, as in 2030-01-31T09:30:00Z")  # noqa: TRY004 -- pydantic takes no other
    return value


Moment = Annotated[
    AwareDatetime, Strict(False), BeforeValidator(_text), Field(description="ISO 8601, with its offset.")
]
Priority = Annotated[int, BeforeValidator(number_of), WithJsonSchema(_PRIORITY_SCHEMA)]


class In(BaseModel):
    """A body: of unknown fields nothing is taken, and a text is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class HoldIn(In):
    """Why a job is held."""

    model_config = with_examples({"reason": "ask the lawyers"})

    reason: str = Field(min_length=1, max_length=100, description="Shown to whoever looks at the job.")


class RetryJobIn(In):
    """How a job is retried."""

    model_config = with_examples({"even_if_live": False})

    even_if_live: bool = Field(False, description="Retry what may have taken effect already: it could be done twice.")


class RescheduleIn(In):
    """When a job is to run."""

    model_config = with_examples({"run_at": "2030-01-31T09:30:00Z", "priority": "high"})

    run_at: Moment
    expires_at: Moment | None = None
    priority: Priority | None = None


class JobRow(BaseModel):
    """A job in a list."""

    id: int
    type: str
    queue: str
    priority: int
    state: str
    label: str = Field(description="The state in words.")
    reason: str = Field(description="Why it is in this state, in words.")
    target: str = Field(description="What it works on, as its type names that.")
    due_at: datetime
    expires_at: datetime | None
    attempts: int
    max_attempts: int
    last_error: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ExecutionOut(BaseModel):
    """One execution of a job."""

    number: int
    worker: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    label: str
    error_class: str
    code: str
    message: str
    response_code: int | None
    traceback: str | None = Field(description="For staff, with a key of the scope `admin`.")


class JobOut(JobRow):
    """A job, why it is not running, and what became of its executions."""

    explanation: str
    expected_at: datetime | None = Field(description="About when it will run, where that can be said.")
    executions: list[ExecutionOut]


def told_job(job: Job) -> dict[str, Any]:
    """Return a job as JSON, without its arguments."""
    found = {name: getattr(job, name) for name in _SAME.split() if hasattr(job, name)}
    told = {"due_at": job.run_at, "label": job.get_state_display(), "reason": words(job), "target": job.target_id}
    return {**found, **told}


def told_executions(request: Request, attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Return executions as JSON, with what only an administrator is told as far as the request is one's."""
    same = ExecutionOut.model_fields.keys() - {"label", "traceback"}
    in_full = tells_tracebacks(request)
    return [
        {
            **{name: getattr(attempt, name) for name in same},
            "label": attempt.get_outcome_display(),
            "traceback": attempt.traceback if in_full else None,
        }
        for attempt in attempts
    ]


def tells_tracebacks(request: Request) -> bool:
    """Say whether the request's person is staff and, where it has a key, that has the scope ``admin``."""
    return request.person.is_staff and (request.key is None or keys.ADMIN in request.key.scopes)
