"""What every operation of the API answers to whom. An operation without a row fails test_permissions.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User

from posts.services.posts import schedule_post
from queue_app import api, clock
from tests.posts.admin.pages import EDITOR, PUBLISHER, VIEWER, person
from tests.posts.making import NO_ANSWER, REJECTED, account, delivery, draft, picture, sent

NOBODY, STRANGER, VIEWS, EDITS, PUBLISHES, OTHER, ROOT = (
    "anonymous",
    "without permissions",
    "viewer",
    "editor",
    "publisher",
    "other owner",
    "superuser",
)
ROLES: Mapping[str, Callable[[str], User]] = {
    STRANGER: person,
    VIEWS: lambda name: person(name, VIEWER),
    EDITS: lambda name: person(name, EDITOR),
    PUBLISHES: lambda name: person(name, (*PUBLISHER, "queue_app.view_job")),
    OTHER: lambda name: person(name, (*PUBLISHER, "queue_app.view_job")),
    ROOT: User.objects.create_superuser,
}
Target = Callable[[User], Mapping[str, Any]]


def a_draft(owner: User) -> Mapping[str, Any]:
    """Return the ids of a draft of the person's, for addresses and bodies."""
    post = draft(account(owner=owner), owner=owner)
    return {"post_id": post.pk}


def a_scheduled_post(owner: User) -> Mapping[str, Any]:
    """Return the ids of a post that waits."""
    post = draft(account(owner=owner), owner=owner)
    schedule_post(post, at=clock.now() + timedelta(hours=1))
    found = delivery(post)
    return {"post_id": post.pk, "delivery_id": found.pk, "job_id": found.job_id}


def a_failed_post(owner: User) -> Mapping[str, Any]:
    """Return the ids of a post that failed."""
    post = sent(account(owner=owner), outcome=REJECTED, owner=owner)
    return {"post_id": post.pk, "delivery_id": delivery(post).pk}


def nothing(owner: User) -> Mapping[str, Any]:
    """Return no id: the operation makes what it needs."""
    return {"account_id": account(owner=owner).pk}


@dataclass(frozen=True)
class Row:
    """One operation: how it is called on what ``target`` makes for the owner, and what it answers to each role.

    ``scope`` is the key's; ``may`` are the roles that it lets do it, ``done`` what it answers them. Others get 403, and
    somebody else than the owner ``other``. ``body`` is what is sent, with the target's ids filled in.
    """

    method: str
    path: str
    scope: str
    may: tuple[str, ...]
    done: int = 200
    other: int = 404
    target: Target = nothing
    body: Callable[[Mapping[str, Any]], Any] = field(default=lambda ids: None)

    def expected(self, role: str) -> int:
        """Return what the role is answered that owns the target; the other owner does not."""
        if role == NOBODY:
            return 401
        if role == OTHER:
            return self.other
        return self.done if role in self.may else 403


def an_uncertain_post(owner: User) -> Mapping[str, Any]:
    """Return the ids of a post of which nobody knows whether it is live."""
    post = sent(account(owner=owner), outcome=NO_ANSWER, owner=owner)
    found = delivery(post)
    return {"delivery_id": found.pk, "job_id": found.job_id}


def a_held_job(owner: User) -> Mapping[str, Any]:
    """Return the ids of a post whose job is held."""
    ids = a_scheduled_post(owner)
    api.hold(ids["job_id"], "later")
    return ids


def a_file(owner: User) -> Mapping[str, Any]:
    """Return the id of an uploaded file."""
    return {"media_id": picture(owner=owner).pk}


ANY_READER = (VIEWS, EDITS, PUBLISHES, ROOT)
ROWS: Mapping[str, Row] = {
    "follow_events": Row("GET", "events?format=json", "read", ANY_READER, other=200),
    "list_posts": Row("GET", "posts", "read", ANY_READER, other=200),
    "get_post": Row("GET", "posts/{post_id}", "read", ANY_READER, target=a_draft),
    "create_post": Row(
        "POST",
        "posts",
        "write",
        (EDITS, PUBLISHES, ROOT),
        201,
        other=422,  # the account is somebody else's
        body=lambda ids: {"text": "Hello", "accounts": [ids["account_id"]]},
    ),
    "validate_post": Row(
        "POST",
        "posts/validate",
        "write",
        (EDITS, PUBLISHES, ROOT),
        other=200,
        body=lambda ids: {"text": "Hello", "accounts": [ids["account_id"]]},
    ),
    "update_post": Row(
        "PATCH",
        "posts/{post_id}",
        "write",
        (EDITS, PUBLISHES, ROOT),
        target=a_draft,
        body=lambda ids: {"text": "Other words"},
    ),
    "remove_post": Row("DELETE", "posts/{post_id}", "publish", (PUBLISHES, ROOT), target=a_scheduled_post),
    "retry_failed": Row("POST", "posts/{post_id}/retry", "publish", (PUBLISHES, ROOT), target=a_failed_post),
    "cancel_waiting": Row("POST", "posts/{post_id}/cancel", "publish", (PUBLISHES, ROOT), target=a_scheduled_post),
    "publish_at_once": Row("POST", "posts/{post_id}/publish-now", "publish", (PUBLISHES, ROOT), target=a_draft),
    "queue_spaced": Row(
        "POST",
        "posts/queue",
        "publish",
        (PUBLISHES, ROOT),
        201,
        other=422,  # of that platform the other has no account
        body=lambda ids: {"platforms": ["outbox"], "text": "Hello"},
    ),
    "create_posts": Row(
        "POST",
        "posts/bulk",
        "write",
        (EDITS, PUBLISHES, ROOT),
        201,
        other=422,  # the account is somebody else's
        body=lambda ids: {"posts": [{"text": "Hello", "accounts": [ids["account_id"]]}]},
    ),
    "cancel_posts": Row(
        "POST",
        "posts/bulk/cancel",
        "publish",
        (PUBLISHES, ROOT),
        other=200,  # and nothing is done
        target=a_scheduled_post,
        body=lambda ids: {"ids": [ids["post_id"]]},
    ),
    "retry_posts": Row(
        "POST",
        "posts/bulk/retry",
        "publish",
        (PUBLISHES, ROOT),
        other=200,  # and nothing is done
        target=a_failed_post,
        body=lambda ids: {"ids": [ids["post_id"]]},
    ),
    "reschedule_posts": Row(
        "POST",
        "posts/bulk/reschedule",
        "publish",
        (PUBLISHES, ROOT),
        other=200,  # and nothing is done
        target=a_scheduled_post,
        body=lambda ids: {"ids": [ids["post_id"]], "scheduled_at": "2031-01-31T09:30"},
    ),
    "list_deliveries": Row("GET", "deliveries", "read", ANY_READER, other=200),
    "retry_one_delivery": Row(
        "POST", "deliveries/{delivery_id}/retry", "publish", (PUBLISHES, ROOT), target=a_failed_post
    ),
    "cancel_one_delivery": Row(
        "POST", "deliveries/{delivery_id}/cancel", "publish", (PUBLISHES, ROOT), target=a_scheduled_post
    ),
    "mark_one_published": Row(
        "POST",
        "deliveries/{delivery_id}/mark-published",
        "publish",
        (PUBLISHES, ROOT),
        target=an_uncertain_post,
        body=lambda ids: {"url": ""},
    ),
    "check_one_again": Row(
        "POST", "deliveries/{delivery_id}/check-again", "publish", (PUBLISHES, ROOT), target=an_uncertain_post
    ),
    "list_accounts": Row("GET", "accounts", "read", ANY_READER, other=200),
    "get_account": Row("GET", "accounts/{account_id}", "read", ANY_READER),
    "list_files": Row("GET", "media", "read", ANY_READER, other=200),
    "get_file": Row("GET", "media/{media_id}", "read", ANY_READER, target=a_file),
    "upload_file": Row(
        "POST",
        "media",
        "write",
        (EDITS, PUBLISHES, ROOT),
        415,
        other=415,
        body=lambda ids: {},  # no form
    ),
    "fetch_file": Row(
        "POST",
        "media/from-url",
        "write",
        (EDITS, PUBLISHES, ROOT),
        422,
        other=422,
        body=lambda ids: {},  # no address
    ),
    "change_file": Row(
        "PATCH", "media/{media_id}", "write", (ROOT,), other=403, target=a_file, body=lambda ids: {"alt": "A cat"}
    ),
    "remove_file": Row("DELETE", "media/{media_id}", "publish", (ROOT,), other=403, target=a_file),
    "list_jobs": Row("GET", "jobs", "read", (PUBLISHES, ROOT), other=200),
    "list_dead_letters": Row("GET", "dead-letters", "read", (PUBLISHES, ROOT), other=200),
    "get_queue_status": Row("GET", "queue/status", "read", (PUBLISHES, ROOT), other=200),
    "get_queue_stats": Row("GET", "admin/queue-stats", "admin", (PUBLISHES, ROOT), other=200),
    "retry_job": Row("POST", "jobs/{job_id}/retry", "admin", (ROOT,), other=403, target=a_held_job),
    "cancel_job": Row("POST", "jobs/{job_id}/cancel", "admin", (ROOT,), other=403, target=a_scheduled_post),
    "hold_job": Row(
        "POST",
        "jobs/{job_id}/hold",
        "admin",
        (ROOT,),
        other=403,
        target=a_scheduled_post,
        body=lambda ids: {"reason": "later"},
    ),
    "release_job": Row("POST", "jobs/{job_id}/release", "admin", (ROOT,), other=403, target=a_held_job),
    "reschedule_job": Row(
        "POST",
        "jobs/{job_id}/reschedule",
        "admin",
        (ROOT,),
        other=403,
        target=a_scheduled_post,
        body=lambda ids: {"run_at": (clock.now() + timedelta(hours=2)).isoformat()},
    ),
    "check_job_again": Row("POST", "jobs/{job_id}/check-again", "admin", (ROOT,), other=403, target=an_uncertain_post),
    "get_delivery": Row("GET", "deliveries/{delivery_id}", "read", ANY_READER, target=a_scheduled_post),
    "get_job": Row("GET", "jobs/{job_id}", "read", (PUBLISHES, ROOT), other=200, target=a_scheduled_post),
}
