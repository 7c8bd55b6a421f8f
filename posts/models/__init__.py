"""The tables of posts: fields and constraints only. ``posts.services`` are the only writers."""

from posts.models.account import Account, AppRegistration, PendingLogin
from posts.models.chat import ChatAddress
from posts.models.delivery import Delivery, DeliveryStatus
from posts.models.endpoint import OffReason, WebhookEndpoint
from posts.models.media import Media, MediaKind, MediaVariant
from posts.models.notification import PlatformEvent
from posts.models.plan import Recurrence, Slot
from posts.models.post import Post, PostMedia, PostStatus, ThreadMode
from posts.models.tag import Tag
from posts.models.telegram import MessageState, SourceAction, TelegramMessage, TelegramSource
from posts.outbox.models import OutboxArrival, OutboxPost

__all__ = [
    "Account",
    "AppRegistration",
    "ChatAddress",
    "Delivery",
    "DeliveryStatus",
    "Media",
    "MediaKind",
    "MediaVariant",
    "MessageState",
    "OffReason",
    "OutboxArrival",
    "OutboxPost",
    "PendingLogin",
    "PlatformEvent",
    "Post",
    "PostMedia",
    "PostStatus",
    "Recurrence",
    "Slot",
    "SourceAction",
    "Tag",
    "TelegramMessage",
    "TelegramSource",
    "ThreadMode",
    "WebhookEndpoint",
]
