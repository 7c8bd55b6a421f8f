"""Which events of the queue's log a person may follow. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from posts.models import WebhookEndpoint
from posts.selectors.posts import may_see
from queue_app.models import Event

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User
    from django.db.models import QuerySet

    Person = User | AnonymousUser

VIEW_JOB, VIEW_POST = "queue_app.view_job", "posts.view_post"
MANAGE_ALL = "posts.manage_all_webhooks"
OF_POSTS = "post."


def may_follow(person: Person, event: Event) -> bool:
    """Say whether ``person`` may learn of ``event``.

    Of jobs with the permission to see them; of posts as far as they may see those, by the owner that the event names,
    for the post may be gone. What a host's own apps record is for superusers.
    """
    if event.job_id is not None:
        return person.has_perm(VIEW_JOB)
    if event.name.startswith(OF_POSTS):
        return person.has_perm(VIEW_POST) and may_see(person, event.data.get("owner_id"))
    return person.is_active and person.is_superuser


def visible_endpoints(person: Person) -> QuerySet[WebhookEndpoint]:
    """Return the webhooks that ``person`` may see and change: their own, or all with the permission."""
    if person.has_perm(MANAGE_ALL):
        return WebhookEndpoint.objects.all()
    return WebhookEndpoint.objects.filter(owner=person.pk or 0)
