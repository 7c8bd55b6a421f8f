"""What happens to jobs, for programs that follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from ninja import Query, Router
from pydantic import BaseModel, Field

from queue_app import keys
from queue_app.models import Event
from queue_app.rest import following
from queue_app.rest.auth import Access, Request
from queue_app.rest.operations import operation
from queue_app.rest.schemas import LARGEST_ID, Id, Limit

if TYPE_CHECKING:
    from django.contrib.auth.models import User

router = Router(tags=["events"])
READS = Access(keys.READ, ("queue_app.view_job",))

After = Annotated[
    int, Field(ge=0, le=LARGEST_ID, description="The id of the last event that is known. 0: all that is kept.")
]
Form = Literal["", "stream", "json"]


class EventQuery(BaseModel):
    """Which events, and in which form."""

    after: After | None = None
    names: str = Field("", max_length=1000, description="Names of events, separated by commas; none for all.")
    job_id: Id | None = None
    limit: Limit = 50
    format: Form = Field("", description="json for one page; else server-sent events, unless only JSON is accepted.")


class EventOut(BaseModel):
    """One event. `data` depends on its name."""

    id: int
    event: str
    job_id: int | None
    timestamp: str
    data: dict[str, Any]


class EventsOut(BaseModel):
    """Events in the order of their ids; go on with `after`."""

    events: list[EventOut]
    after: int


@operation(router, "GET", "/events", READS, {200: EventsOut}, streams=True)
def follow_events(request: Request, query: Query[EventQuery]) -> Any:
    """Follow what happens, as server-sent events or in pages.

    A stream goes on from the header `Last-Event-ID`, else from `after`, else from now. It ends by itself after a while:
    a client then comes back and goes on. A page has what comes after that id, else the oldest events there are.
    """
    return answered(request, query, may_follow)


def answered(request: Request, query: EventQuery, may: Any, is_meant: Any = lambda _event: True) -> Any:
    """Return what is answered: a stream, or a page. Raises Problem."""
    names = tuple(name.strip() for name in query.names.split(",") if name.strip()) or None
    after = following.place_asked_for(request, query.after)
    if following.wants_stream(request, query.format):
        return following.listen(request, following.Question(after, names, query.job_id, may, is_meant))
    question = following.Question(after or 0, names, query.job_id, may, is_meant)
    return following.page_of(request, question, query.limit)


def may_follow(person: User, event: Event) -> bool:
    """Say whether ``person`` may learn of ``event``: of jobs with the permission, of the rest as superusers."""
    if event.job_id is None:
        return person.is_active and person.is_superuser
    return person.has_perm("queue_app.view_job")
