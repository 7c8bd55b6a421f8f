"""Uploaded files: what they show, where they are used. They are attached to a post in its composer."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import CharField, Count, QuerySet, Value
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from posts import models
from posts.admin import zones
from posts.selectors.media import has_preview
from posts.selectors.posts import MOVING, usable_media, visible_posts
from queue_app.admin import display
from queue_app.admin.pages import ReadOnlyAdmin


def thumbnail_of(media: models.Media) -> SafeString | str:
    """Return a small picture of ``media``, or what it is, or why it is gone."""
    if media.file_deleted_at is not None:
        return "no longer kept"
    if not has_preview(media):
        return format_html('<span class="sq-thumbnail sq-no-preview">{}</span>', media.get_kind_display())
    try:
        url = reverse("posts:thumbnail", args=[media.uuid])
    except NoReverseMatch:  # a site that does not serve pictures
        return display.NOTHING
    alt = media.alt_text or media.original_name
    return format_html('<img class="sq-thumbnail" src="{}" alt="{}" loading="lazy">', url, alt)


@admin.register(models.Media)
class MediaAdmin(ReadOnlyAdmin):
    """Files that the person may attach. Read only."""

    page_template = "posts/admin/media.html"
    empty_hint = "No file yet. Attach one while you write a post."
    list_display = ["thumbnail", "original_name", "size", "alt", "use_count", "uploaded", "owner"]
    list_display_links = ["thumbnail", "original_name"]
    list_filter = ["kind", "mime_type", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["original_name", "alt_text", "post_media__alt_text"]
    ordering = ["-id"]

    class Media:
        css = {"all": ["posts/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[models.Media]:
        """Return the files that the person may attach."""
        zone = Value(zones.zone_of(request.user), output_field=CharField())
        rows = (
            usable_media(request.user)
            .prefetch_related("post_media")
            .annotate(uses=Count("post_media", distinct=True), person_zone=zone)
        )
        return rows.order_by(*self.ordering)

    def page_context(self, request: HttpRequest, row: models.Media) -> dict[str, Any]:
        """Return the file and the posts it is in."""
        posts = list(visible_posts(request.user).filter(post_media__media=row).order_by("-id")[:100])
        is_moving = any(post.status in MOVING for post in posts)
        return {"thumbnail": thumbnail_of(row), "posts": posts, "is_moving": is_moving, "size": self.size(row)}

    @admin.display(description=_("picture"))
    def thumbnail(self, media: models.Media) -> SafeString | str:
        """Return a small picture."""
        return thumbnail_of(media)

    @admin.display(description=_("size"), ordering="size_bytes")
    def size(self, media: models.Media) -> str:
        """Return pixels and seconds, where they are known, bytes and type."""
        pixels = [f"{media.width} × {media.height}"] if media.width else []
        seconds = [f"{media.duration_seconds:,.1f} s"] if media.duration_seconds else []
        return ", ".join([*pixels, *seconds, filesizeformat(media.size_bytes), media.mime_type])

    @admin.display(description=_("alt text"))
    def alt(self, media: models.Media) -> str:
        """Return the beginning of the alt text."""
        texts = [media.alt_text, *(used.alt_text for used in media.post_media.all())]
        return display.short(next(filter(None, texts), display.NOTHING))

    @admin.display(description=_("used in"), ordering="uses")
    def use_count(self, media: Any) -> str:
        """Return in how many posts it is."""
        return f"{media.uses} post{'s'[: media.uses != 1]}"

    @admin.display(description=_("uploaded"), ordering="created_at")
    def uploaded(self, media: Any) -> SafeString | str:
        """Return when it came."""
        return display.moment(media.created_at, media.person_zone)
