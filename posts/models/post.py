"""What a person writes, once for all accounts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from posts.models.media import Media
from posts.models.plan import Recurrence
from posts.models.tag import Tag


class PostStatus(models.TextChoices):
    """Where a post stands, derived from its deliveries and stored by the hook in ``posts.services.status``."""

    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    PUBLISHING = "publishing", _("Publishing")
    PUBLISHED = "published", _("Published")
    PARTIALLY_PUBLISHED = "partially_published", _("Partially published")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")
    NEEDS_REVIEW = "needs_review", _("Needs review")


class ThreadMode(models.TextChoices):
    """What becomes of a text that is longer than one post may be, on networks that have threads."""

    OFF = "", _("One post; a text that is too long is refused")
    SPLIT = "split", _("A thread, split where the text allows")
    NUMBERED = "numbered", _("A thread, its parts numbered")


class Post(models.Model):
    """One post. ``scheduled_at`` is the instant; ``wall_time`` (ISO, no offset) and ``timezone`` are what was meant."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    text = models.TextField(_("text"), blank=True)
    language = models.CharField(_("language"), max_length=35, blank=True, help_text=_("For example en or pt-BR."))
    thread_mode = models.CharField(_("long text"), max_length=10, choices=ThreadMode.choices, blank=True, default="")
    first_comment = models.TextField(_("first comment"), blank=True)
    media = models.ManyToManyField(Media, through="PostMedia", related_name="posts", verbose_name=_("media"))
    tags = models.ManyToManyField(Tag, blank=True, related_name="posts", verbose_name=_("tags"))
    status = models.CharField(
        _("status"), max_length=20, choices=PostStatus.choices, default=PostStatus.DRAFT, editable=False, db_index=True
    )
    scheduled_at = models.DateTimeField(_("scheduled for"), null=True, blank=True, editable=False, db_index=True)
    wall_time = models.CharField(max_length=32, blank=True, editable=False)
    timezone = models.CharField(_("time zone"), max_length=64, blank=True)
    expires_at = models.DateTimeField(_("drop if not out by"), null=True, blank=True)
    priority = models.PositiveSmallIntegerField(_("priority"), default=5)
    version = models.PositiveIntegerField(default=0, editable=False)
    # The form that made it, and the one that changed it last: a form that is sent twice is recognised.
    form_token = models.UUIDField(null=True, unique=True, editable=False)
    edit_token = models.UUIDField(null=True, editable=False, db_index=True)
    # Where it came from, if not from a person: "legacy:7", "telegram:3:album:12". The same is never taken in twice.
    origin = models.CharField(max_length=200, null=True, unique=True, editable=False)  # noqa: DJ001 - NULL is "a person"
    # Of a post that repeats: its series, the wall time at which the rule put it, and whether it goes its own way.
    recurrence = models.ForeignKey(
        Recurrence, models.PROTECT, null=True, blank=True, related_name="posts", verbose_name=_("recurrence")
    )
    occurrence = models.CharField(max_length=32, blank=True, editable=False, db_default="")
    is_exception = models.BooleanField(_("changed by itself"), default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("post")
        verbose_name_plural = _("posts")
        permissions = [
            ("view_all_posts", _("Can see everybody's posts")),
            ("schedule_post", _("Can schedule posts")),
            ("publish_post", _("Can publish posts now")),
            ("reschedule_post", _("Can reschedule posts")),
            ("retry_post", _("Can retry posts")),
            ("cancel_post", _("Can cancel posts")),
        ]
        # Lists by time: of one's own posts, and of those that stand somewhere.
        indexes = [
            models.Index(fields=["owner", "scheduled_at", "id"], name="posts_post_of_owner"),
            models.Index(fields=["status", "scheduled_at", "id"], name="posts_post_in_status"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=PostStatus.values), name="posts_post_status"),
            models.CheckConstraint(condition=Q(thread_mode__in=ThreadMode.values), name="posts_post_thread_mode"),
            models.CheckConstraint(condition=Q(priority__gte=1, priority__lte=10), name="posts_post_priority"),
            models.UniqueConstraint(
                fields=["recurrence", "occurrence"],
                condition=Q(recurrence__isnull=False),
                name="posts_post_occurrence_once",
            ),
        ]

    def __str__(self) -> str:
        line = " ".join(self.text.split())
        return (line[:57] + "…" if len(line) > 58 else line) or f"Post {self.pk}"


class PostMedia(models.Model):
    """A picture's place in a post. ``alt_text`` overrides the file's own where it is given."""

    post = models.ForeignKey(Post, models.CASCADE, related_name="post_media")
    media = models.ForeignKey(Media, models.PROTECT, related_name="post_media")
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    alt_text = models.TextField(_("alt text"), blank=True)

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["post", "media"], name="posts_postmedia_once")]

    def __str__(self) -> str:
        return f"{self.post_id}/{self.position}"
