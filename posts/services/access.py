"""Who may do what: a permission for each action, and whose thing it is. Checked by every service that has an actor.

``None`` as a person is the site itself (a management command, a hook) and may do everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from posts.models import Post
from posts.selectors.posts import may_see
from posts.services.errors import NotAllowed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ACTIONS = {
    "add_post": "write posts",
    "change_post": "change posts",
    "delete_post": "delete posts",
    "schedule_post": "schedule posts",
    "publish_post": "publish posts now",
    "reschedule_post": "reschedule posts",
    "retry_post": "retry posts",
    "cancel_post": "cancel posts",
    "add_media": "upload files",
    "change_media": "change files",
    "delete_media": "delete files",
    "change_tag": "rename tags",
    "delete_tag": "delete tags",
}


def require(person: User | None, action: str, post: Post | None = None) -> None:
    """Raise NotAllowed unless ``person`` has the permission ``posts.<action>`` and may see ``post``."""
    if person is None:
        return
    if not person.has_perm(f"posts.{action}"):
        raise NotAllowed(f"{person.get_username()} may not {ACTIONS[action]}; ask an administrator for the permission")
    if post is not None and not may_see(person, post.owner_id):
        raise NotAllowed(f"Post {post.pk} belongs to somebody else; ask its owner or an administrator")


def name_of(person: User | None) -> str:
    """Return the name that a job's events keep; "" for the site itself."""
    return person.get_username() if person is not None else ""
