"""A post's files as the platforms take them, and the place to import all services for files from.

Pictures are rendered to keep a platform's limits, in a process of their own, called from workers outside of any
transaction; what is rendered is kept. Animated pictures, videos and documents go out as they came. Uploads are in
``uploads``, storages in ``storing``, the end of files in ``media_retention``.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from io import BytesIO

from django.core.files.base import ContentFile
from django.db import IntegrityError
from django.utils.translation import gettext

from posts.media.inspect import EXTENSIONS, FileRefused, Picture, inspect_picture
from posts.media.plan import Fit, ImpossibleError, RenderSpec, fit_of, plan_rendering
from posts.media.render import DamagedPicture, RenderError, render
from posts.models import Delivery, Media, MediaKind, MediaVariant, PostMedia
from posts.publishing.capabilities import ImageLimits
from posts.publishing.errors import ContentRejected, Temporary
from posts.publishing.platform import Platform
from posts.publishing.types import MediaFile
from posts.services.addresses import public_address
from posts.services.errors import NoRoom
from posts.services.media_fit import facts_of, misfits
from posts.services.media_retention import delete_unneeded
from posts.services.storing import folder_problems, opener_of, write_file
from posts.services.uploads import discard_upload, store_upload
from posts.transactions import refuse_in_transaction
from queue_app.database import atomic

__all__ = [
    "delete_unneeded",
    "discard_upload",
    "folder_problems",
    "media_file",
    "rendering",
    "store_upload",
    "variant_for",
]

logger = logging.getLogger("socialq.posts")


def variant_for(media: Media, limits: ImageLimits, fit: Fit = "refuse") -> MediaVariant:
    """Return ``media`` rendered to keep ``limits``; made once and kept. ``fit`` is for shapes that do not fit.

    Raises ContentRejected (``media_gone``, ``media_unusable``), where trying again would change nothing, or Temporary
    (``media_unreadable``, ``media_no_room``). For workers, outside any transaction.
    """
    refuse_in_transaction(gettext("A picture would be rendered"))
    source = _source(media)
    picture = _facts(media, source)
    try:
        spec = plan_rendering(picture, limits, fit)
    except ImpossibleError as error:
        raise _unusable(media, error) from None
    kept = MediaVariant.objects.filter(media=media, spec_hash=spec.spec_hash).first()
    if kept is not None and kept.file.storage.exists(kept.file.name or ""):
        return kept
    try:
        rendering = render(source, spec)
    except RenderError as error:
        if isinstance(error, DamagedPicture):
            logger.warning("picture damaged", extra={"media": media.pk, "detail": error.detail})
        raise _unusable(media, error) from None
    return _keep(media, spec, rendering, kept)


def media_file(post_media: PostMedia, delivery: Delivery, platform: Platform) -> MediaFile:
    """Return a post's file as a platform takes it: a picture rendered to keep its limits, anything else as it came.

    Its key is the upload's own id, so it is the same on every execution. Raises what ``variant_for`` raises.
    """
    media = post_media.media
    row: Media | MediaVariant = media
    if media.kind == MediaKind.IMAGE:
        row = rendering(post_media, delivery, platform)
    else:
        _require_original(media)
        for reason in misfits(media, platform.capabilities_with(delivery.options, delivery.account.config)):
            raise ContentRejected("media_unusable", field="media", name=media.original_name, reason=f"{reason}.")
    word = "picture" if row.mime_type.startswith("image/") else media.kind
    filename = f"{word}-{post_media.position + 1}{EXTENSIONS.get(row.mime_type, '')}"
    return replace(
        facts_of(post_media),
        filename=filename,
        mime_type=row.mime_type,
        width=row.width,
        height=row.height,
        size_bytes=row.size_bytes,
        open=opener_of(row),
        url=lambda: public_address(row, filename),
    )


def rendering(post_media: PostMedia, delivery: Delivery, platform: Platform) -> MediaVariant:
    """Return a post's picture as ``variant_for`` does, for one delivery and what the person chose for it."""
    limits = platform.capabilities_with(delivery.options, delivery.account.config).images
    return variant_for(post_media.media, limits, fit_of(delivery.options))


def _require_original(media: Media) -> None:
    """Raise ContentRejected if the file was deleted, Temporary if the storage cannot show it now."""
    if media.file_deleted_at is not None:
        raise ContentRejected("media_gone", field="media", name=media.original_name)
    try:
        found = media.file.storage.exists(media.file.name or "")
    except OSError as error:
        raise Temporary("media_unreadable", detail=error.strerror or "") from None
    if not found:  # a folder that is not mounted comes back
        raise Temporary("media_unreadable")


def _source(media: Media) -> bytes:
    _require_original(media)
    try:
        with media.file.storage.open(media.file.name or "", "rb") as file:
            source: bytes = file.read()
    except OSError as error:
        raise Temporary("media_unreadable", detail=error.strerror or "") from None
    return source


def _facts(media: Media, source: bytes) -> Picture:
    try:
        return inspect_picture(BytesIO(source), media.original_name, max_bytes=len(source))
    except FileRefused as error:  # the file on the disk is not the one that was checked
        raise _unusable(media, error) from None


def _unusable(media: Media, error: Exception) -> ContentRejected:
    return ContentRejected("media_unusable", field="media", name=media.original_name, reason=str(error))


def _keep(media: Media, spec: RenderSpec, rendering: bytes, lost: MediaVariant | None) -> MediaVariant:
    """Store a rendering; where another worker was faster, take its one. ``lost`` is a row whose file is gone."""
    picture = inspect_picture(BytesIO(rendering), media.original_name, max_bytes=spec.max_bytes)
    variant = lost or MediaVariant(media=media, spec_hash=spec.spec_hash)
    variant.mime_type, variant.size_bytes = picture.mime_type, picture.size_bytes
    variant.width, variant.height = picture.width, picture.height
    try:
        write_file(variant, ContentFile(rendering))
    except NoRoom:
        raise Temporary("media_no_room") from None
    try:
        with atomic():
            variant.save()
    except IntegrityError:
        variant.file.delete(save=False)
        return MediaVariant.objects.get(media=media, spec_hash=spec.spec_hash)
    return variant
