"""Storing uploads and rendering them for a platform.

Owns the files of Media and MediaVariant until ``media_retention`` takes them away. Judges uploads by their header only;
decoding happens in a process of its own, called from workers outside of any transaction.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.db import IntegrityError

from posts import conf
from posts.disk import has_no_room
from posts.media.inspect import EXTENSIONS, Picture, PictureRefused, inspect_picture
from posts.media.plan import Fit, ImpossibleError, RenderSpec, plan_rendering
from posts.media.render import DamagedPicture, RenderError, render
from posts.models import Delivery, Media, MediaVariant, PostMedia
from posts.publishing.capabilities import ImageLimits
from posts.publishing.errors import ContentRejected, Temporary
from posts.publishing.platform import Platform
from posts.publishing.types import MediaFile
from posts.services.errors import NoRoom, Problem, Refused, ValidationFailed
from posts.services.media_retention import delete_files, delete_unneeded
from posts.services.options import fit_of
from posts.transactions import refuse_in_transaction
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["delete_unneeded", "discard_upload", "folder_problems", "media_file", "store_upload", "variant_for"]

logger = logging.getLogger("socialq.posts")

NAME_MAX_CHARACTERS = 255
# What a folder must have room for to be called fit; a block of most file systems.
PROBE_BYTES = 4096


def store_upload(file: File[bytes], *, owner: User | None, original_name: str) -> Media:
    """Check a picture by its header, store it under a random name and return it. ``file`` is seekable.

    Raises ValidationFailed (field ``media``), which names the file, what is in it and what is allowed, and NoRoom where
    the disk is full. Call it outside any transaction: writing a large file takes a while.
    """
    name = _clean_name(original_name)
    stream = cast("BinaryIO", file.open("rb"))  # a File reads and seeks as one
    try:
        picture = inspect_picture(stream, name, max_bytes=conf.get("MEDIA_MAX_BYTES"))
    except PictureRefused as error:
        raise ValidationFailed([Problem("media", str(error))]) from None
    media = Media(
        owner=owner,
        original_name=name,
        mime_type=picture.mime_type,
        width=picture.width,
        height=picture.height,
        size_bytes=picture.size_bytes,
        sha256=_sha256(file),
    )
    _write_file(media, file)
    try:
        media.save()
    except BaseException:
        media.file.delete(save=False)
        raise
    return media


def discard_upload(media: Media) -> None:
    """Delete an upload that no post uses, with its file. Raises Refused if one does."""
    with atomic():
        Media.objects.select_for_update().filter(pk=media.pk).first()
        if PostMedia.objects.filter(media=media).exists():
            raise Refused(f"{media} is used by a post; take it off the post first.")
        delete_files(media)
        media.delete()


def variant_for(media: Media, limits: ImageLimits, fit: Fit = "refuse") -> MediaVariant:
    """Return ``media`` rendered to keep ``limits``; made once and kept. ``fit`` is for shapes that do not fit.

    Raises ContentRejected (``media_gone``, ``media_unusable``), where trying again would change nothing, or Temporary
    (``media_unreadable``, ``media_no_room``). For workers, outside any transaction.
    """
    refuse_in_transaction("A picture would be rendered")
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
    """Return a post's picture as a platform takes it, rendered to keep its limits. Raises what ``variant_for`` raises.

    Its key is the upload's own id, so it is the same on every execution.
    """
    variant = variant_for(
        post_media.media, platform.capabilities_for(delivery.account.config).images, fit_of(delivery.options)
    )
    return MediaFile(
        key=post_media.media.uuid.hex,
        filename=f"picture-{post_media.position + 1}{EXTENSIONS[variant.mime_type]}",
        mime_type=variant.mime_type,
        width=variant.width,
        height=variant.height,
        size_bytes=variant.size_bytes,
        alt_text=post_media.alt_text or post_media.media.alt_text,
        open=lambda: cast("BinaryIO", variant.file.open("rb").file),
    )


def folder_problems() -> Iterator[str]:
    """Yield in words why no picture could be stored now, if it lies in a folder of this machine."""
    storage = Media._meta.get_field("file").storage
    if not isinstance(storage, FileSystemStorage):
        return
    try:
        if not Path(storage.location).is_dir():
            return  # made with the first upload
        with tempfile.TemporaryFile(dir=storage.location) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        why = "its disk is full; make room" if has_no_room(error) else f"{error.strerror}; see that it can be"
        yield f"The folder of pictures, {storage.location}, cannot be written: {why}"


def _write_file(row: Media | MediaVariant, content: File[bytes]) -> None:
    """Store ``content`` under a new random name as the file of ``row``; what was written of it goes if that fails."""
    storage = row.file.storage
    name = row.file.field.generate_filename(row, "")
    try:
        stored = storage.save(name, content)
    except BaseException as error:
        with suppress(OSError):
            storage.delete(name)
        if has_no_room(error):
            raise NoRoom(str(row if isinstance(row, Media) else row.media)) from None
        raise
    row.file = stored


def _clean_name(name: str) -> str:
    """Return the last part of a file name from outside, printable and not too long; for people, never a path."""
    last = PurePosixPath(name.replace("\\", "/").replace("\0", "")).name
    return "".join(sign if sign.isprintable() else "_" for sign in last)[:NAME_MAX_CHARACTERS] or "picture"


def _sha256(file: File[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def _source(media: Media) -> bytes:
    if media.file_deleted_at is not None:
        raise ContentRejected("media_gone", field="media", name=media.original_name)
    try:
        with media.file.open("rb") as file:
            source: bytes = file.read()
    except OSError as error:  # a folder that is not mounted comes back
        raise Temporary("media_unreadable", detail=error.strerror or "") from None
    return source


def _facts(media: Media, source: bytes) -> Picture:
    try:
        return inspect_picture(BytesIO(source), media.original_name, max_bytes=len(source))
    except PictureRefused as error:  # the file on the disk is not the one that was checked
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
        _write_file(variant, ContentFile(rendering))
    except NoRoom:
        raise Temporary("media_no_room") from None
    try:
        with atomic():
            variant.save()
    except IntegrityError:
        variant.file.delete(save=False)
        return MediaVariant.objects.get(media=media, spec_hash=spec.spec_hash)
    return variant
