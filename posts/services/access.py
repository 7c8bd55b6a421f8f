"""Who may do what: a permission for each action, and whose thing it is. Checked by every service that has an actor.

``None`` as a person is the site itself (a management command, a hook) and may do everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from posts.models import Post
from posts.selectors.posts import may_see
from posts.services.errors import NotAllowed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ACTIONS = {
    "add_post": _("write posts"),
    "change_post": _("change posts"),
    "delete_post": _("delete posts"),
    "schedule_post": _("schedule posts"),
    "publish_post": _("publish posts now"),
    "reschedule_post": _("reschedule posts"),
    "retry_post": _("retry posts"),
    "cancel_post": _("cancel posts"),
    "add_media": _("upload files"),
    "change_media": _("change files"),
    "delete_media": _("delete files"),
    "change_tag": _("rename tags"),
    "delete_tag": _("delete tags"),
    "add_webhookendpoint": _("make webhooks"),
    "change_webhookendpoint": _("change webhooks"),
    "delete_webhookendpoint": _("delete webhooks"),
}


def require(person: User | None, action: str, post: Post | None = None) -> None:
    """Raise NotAllowed unless ``person`` has the permission ``posts.<action>`` and may see ``post``."""
    if person is None:
        return
    if not person.has_perm(f"posts.{action}"):
        raise NotAllowed(
            gettext("%(person)s may not %(actions)s; ask an administrator for the permission")
            % {"person": person.get_username(), "actions": ACTIONS[action]}
        )
    if post is not None and not may_see(person, post.owner_id):
        raise NotAllowed(
            gettext("Post %(post)s belongs to somebody else; ask its owner or an administrator") % {"post": post.pk}
        )


def name_of(person: User | None) -> str:
    """Return the name that a job's events keep; "" for the site itself."""
    return person.get_username() if person is not None else ""
