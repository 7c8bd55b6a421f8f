"""Bots that feed posts: what people write to them, and what became of it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from posts.models.media import Media


class SourceAction(models.TextChoices):
    """What becomes of a message."""

    DRAFT = "draft", _("Keep it as a draft")
    QUEUE = "queue", _("Queue it: one post a platform, one after the other")


class TelegramSource(models.Model):
    """A Telegram bot whose messages become posts of ``owner``, by a rule.

    ``sealed`` has the bot's token, the random part of the webhook's address and the secret that Telegram sends along;
    the hashes are what a request is compared with. ``senders`` are the ids of the chats and people who may feed it:
    empty is nobody. ``platforms``: empty is every one with an enabled account at the time.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("owner"))
    name = models.CharField(_("name"), max_length=100)
    api_url = models.CharField(_("Bot API server"), max_length=200, default="https://api.telegram.org")
    bot_id = models.BigIntegerField(unique=True, editable=False)
    bot_name = models.CharField(_("bot"), max_length=100, blank=True, editable=False)
    sealed = models.TextField(editable=False)
    address_hash = models.CharField(max_length=64, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)

    senders = models.JSONField(_("who may feed it"), default=list, blank=True)
    action = models.CharField(_("messages"), max_length=10, choices=SourceAction.choices, default=SourceAction.DRAFT)
    platforms = models.JSONField(_("platforms"), default=list, blank=True)
    start_delay_minutes = models.FloatField(_("minutes to the first"), default=0)
    interval_minutes = models.FloatField(_("minutes between platforms"), default=60)
    timezone = models.CharField(_("time zone"), max_length=64)
    replies = models.BooleanField(_("answers in the chat"), default=True)
    enabled = models.BooleanField(_("enabled"), default=True)

    last_heard_at = models.DateTimeField(_("last heard"), null=True, blank=True, editable=False)
    last_error = models.TextField(_("last error"), blank=True, editable=False)
    # Who wrote last without being among the senders: {"id", "name"}. One is kept, however many write.
    last_stranger = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("Telegram source")
        verbose_name_plural = _("Telegram sources")
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(action__in=SourceAction.values), name="posts_telegram_source_action"),
            models.CheckConstraint(
                condition=Q(start_delay_minutes__gte=0, interval_minutes__gte=0), name="posts_telegram_source_minutes"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MessageState(models.TextChoices):
    """Where a message stands. ``failed`` may be taken in after all, by retrying its job."""

    WAITING = "waiting", _("Waiting")
    TAKEN = "taken", _("Taken in")
    REFUSED = "refused", _("Not taken")
    FAILED = "failed", _("Failed")


class TelegramMessage(models.Model):
    """One message, as far as a post needs it. ``group_key`` is the same for all parts of an album.

    ``media`` is its file once that was downloaded. ``answered_at`` is set before the answer is sent: one that nobody
    knows the fate of is not sent again.
    """

    source = models.ForeignKey(TelegramSource, models.CASCADE, related_name="messages")
    update_id = models.BigIntegerField()
    chat_id = models.BigIntegerField()
    message_id = models.BigIntegerField()
    group_key = models.CharField(max_length=150)
    content = models.JSONField(default=dict)
    media = models.ForeignKey(Media, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=10, choices=MessageState.choices, default=MessageState.WAITING)
    reason = models.TextField(blank=True)
    answer = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["source", "group_key"], name="posts_telegram_group")]
        constraints = [
            models.UniqueConstraint(fields=["source", "update_id"], name="posts_telegram_update_once"),
            models.CheckConstraint(condition=Q(state__in=MessageState.values), name="posts_telegram_message_state"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id}/{self.update_id}"
