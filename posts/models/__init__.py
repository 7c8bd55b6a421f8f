"""The tables of posts: fields and constraints only. ``posts.services`` are the only writers."""

from posts.models.account import Account
from posts.models.delivery import Delivery, DeliveryStatus
from posts.models.media import Media, MediaVariant
from posts.models.post import Post, PostMedia, PostStatus
from posts.outbox.models import OutboxArrival, OutboxPost

__all__ = [
    "Account",
    "Delivery",
    "DeliveryStatus",
    "Media",
    "MediaVariant",
    "OutboxArrival",
    "OutboxPost",
    "Post",
    "PostMedia",
    "PostStatus",
]
