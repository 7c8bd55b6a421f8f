"""What happens to posts and jobs, for programs that follow it."""

from __future__ import annotations

from typing import Any

from ninja import Query, Router

from posts.selectors.events import VIEW_JOB, VIEW_POST, may_follow
from queue_app import keys
from queue_app.models import Event
from queue_app.rest.auth import Access, Request
from queue_app.rest.events import EventQuery, EventsOut, answered
from queue_app.rest.operations import operation
from queue_app.rest.schemas import Id

router = Router(tags=["events"])
READS = Access(keys.READ, (VIEW_POST, VIEW_JOB))


class PostEventQuery(EventQuery):
    """Which events, also of one post, and in which form."""

    post_id: Id | None = None


@operation(router, "GET", "/events", READS, {200: EventsOut}, streams=True)
def follow_events(request: Request, query: Query[PostEventQuery]) -> Any:
    """Follow what happens to posts and jobs, as server-sent events or in pages.

    A stream goes on from the header `Last-Event-ID`, else from `after`, else from now. It ends by itself after a while:
    a client then comes back and goes on. A page has what comes after that id, else the oldest events there are. Events
    of posts are those that one may see, events of jobs need the permission to see jobs.
    """

    def is_meant(event: Event) -> bool:
        return query.post_id is None or (event.job_id is None and event.data.get("post_id") == query.post_id)

    return answered(request, query, may_follow, is_meant)
