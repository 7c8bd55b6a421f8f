"""The Python API of posts, for sites that publish what they have: an article, an event, a release.

Inside a transaction of the caller's, on the database of posts, the post commits with the caller's own rows or not at
all. Everything here is done by ``posts.services``; a model that is always announced inherits
``posts.mixins.SocialPostMixin`` instead.
"""

from posts.selectors.subjects import post_about as post_of
from posts.selectors.subjects import posts_about as posts_of
from posts.services.errors import Conflict, NoRoom, NotAllowed, Problem, Refused, ServiceError, ValidationFailed
from posts.services.posts import CancelReport
from posts.services.subjects import ANNOUNCEMENT, Attachment, store_media
from posts.services.subjects import cancel_subject as cancel
from posts.services.subjects import publish_subject as publish

__all__ = [
    "ANNOUNCEMENT",
    "Attachment",
    "CancelReport",
    "Conflict",
    "NoRoom",
    "NotAllowed",
    "Problem",
    "Refused",
    "ServiceError",
    "ValidationFailed",
    "cancel",
    "post_of",
    "posts_of",
    "publish",
    "store_media",
]
