"""The posts app in the admin: posts, accounts, files, feeds, webhooks. Parse, call a service, render; no logic."""

from posts.admin import dashboard, history, jobs
from posts.admin.account import AccountAdmin
from posts.admin.delivery import DeliveryAdmin
from posts.admin.media import MediaAdmin
from posts.admin.post import PostAdmin
from posts.admin.recurrence import RecurrenceAdmin
from posts.admin.telegram import TelegramSourceAdmin
from posts.admin.webhook import WebhookAdmin

__all__ = [
    "AccountAdmin",
    "DeliveryAdmin",
    "MediaAdmin",
    "PostAdmin",
    "RecurrenceAdmin",
    "TelegramSourceAdmin",
    "WebhookAdmin",
    "dashboard",
    "history",
    "jobs",
]
