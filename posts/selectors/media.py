"""What there is to show of an uploaded file. Reads only."""

from __future__ import annotations

from posts.models import Media, MediaKind, MediaVariant

# What every browser shows; a HEIC picture has to be rendered first.
SHOWN_BY_BROWSERS = ("image/jpeg", "image/png", "image/gif", "image/webp")


def preview_of(media: Media) -> MediaVariant | Media | None:
    """Return the smallest rendering of ``media``, or the picture itself; ``None`` where there is nothing to show."""
    return media.variants.order_by("size_bytes").first() or (media if _is_shown(media) else None)


def has_preview(media: Media) -> bool:
    """Say whether there is something to show of ``media``; asks the database only where it must."""
    return _is_shown(media) or media.variants.exists()


def _is_shown(media: Media) -> bool:
    return media.kind in (MediaKind.IMAGE, MediaKind.GIF) and media.mime_type in SHOWN_BY_BROWSERS
