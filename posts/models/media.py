"""Uploaded pictures, videos and documents, and the variants rendered from them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from posts.models.tag import Tag


def upload_path(_media: models.Model, _filename: str) -> str:
    """Return a random path: nothing of the uploader's file name reaches the disk."""
    name = uuid.uuid4().hex
    return f"media/{name[:2]}/{name}"


def variant_path(_variant: models.Model, _filename: str) -> str:
    """Return a random path for a rendered variant."""
    name = uuid.uuid4().hex
    return f"variants/{name[:2]}/{name}"


class MediaKind(models.TextChoices):
    """What an uploaded file is."""

    IMAGE = "image", _("Picture")
    GIF = "gif", _("Animated picture")
    VIDEO = "video", _("Video")
    DOCUMENT = "document", _("Document")


class Media(models.Model):
    """One uploaded file, as it came. Width and height are those seen upright, 0 where there are none.

    ``facts`` are what looking into it told: of a video its codecs and frames a second (empty where nobody could look),
    of an animated picture its frames, of a picture whether parts of it are clear.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    file = models.FileField(_("file"), upload_to=upload_path, max_length=200)
    original_name = models.CharField(_("file name"), max_length=255)
    mime_type = models.CharField(_("type"), max_length=40)
    kind = models.CharField(_("kind"), max_length=10, choices=MediaKind.choices, default=MediaKind.IMAGE)
    duration_seconds = models.FloatField(_("duration"), null=True, blank=True)
    facts = models.JSONField(default=dict, blank=True, editable=False)
    width = models.PositiveIntegerField(_("width"))
    height = models.PositiveIntegerField(_("height"))
    size_bytes = models.PositiveBigIntegerField(_("size"))
    sha256 = models.CharField(max_length=64)
    alt_text = models.TextField(_("alt text"), blank=True)
    tags = models.ManyToManyField(Tag, blank=True, related_name="media", verbose_name=_("tags"))
    # Its file stays, whatever becomes of the posts that used it.
    is_in_library = models.BooleanField(_("kept in the library"), default=False, db_default=False, db_index=True)
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    file_deleted_at = models.DateTimeField(_("file deleted"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("media file")
        verbose_name_plural = _("media files")

    def __str__(self) -> str:
        return self.original_name


class MediaVariant(models.Model):
    """A picture rendered to a spec, kept so that it is rendered once."""

    media = models.ForeignKey(Media, models.CASCADE, related_name="variants")
    spec_hash = models.CharField(max_length=64)
    file = models.FileField(upload_to=variant_path, max_length=200)
    mime_type = models.CharField(max_length=40)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["media", "spec_hash"], name="posts_variant_once")]

    def __str__(self) -> str:
        return f"{self.media_id}/{self.spec_hash[:8]}"
