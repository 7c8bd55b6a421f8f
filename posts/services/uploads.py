"""Storing what people upload: pictures, animated pictures, videos, documents.

Judges by the header only; a video is looked into by a process of its own, where the extra for it is installed. Owns
the files of Media until ``media_retention`` takes them away.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

from django.core.files.base import ContentFile, File
from django.utils.translation import gettext

from posts import conf
from posts.media.inspect import FileRefused, Upload, inspect_picture, inspect_upload
from posts.media.probe import ProbeError, VideoFacts, can_probe, probe
from posts.models import Media, MediaVariant, PostMedia
from posts.services.errors import NoRoom, Problem, Refused, ValidationFailed
from posts.services.media_retention import delete_files
from posts.services.storing import as_local_file, write_file
from posts.transactions import refuse_in_transaction
from queue_app.database import atomic

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger("socialq.posts")

NAME_MAX_CHARACTERS = 255
POSTER = "poster"  # in place of a variant's spec: a video's first picture


@dataclass(frozen=True, slots=True)
class Prepared:
    """An upload whose file is stored and which has no row yet: ``media``, and a video's first picture, if any."""

    media: Media
    poster: bytes = b""


def store_upload(file: File[bytes], *, owner: User | None, original_name: str, is_in_library: bool = False) -> Media:
    """Check a file by what is in it, store it under a random name and return it. ``file`` is seekable.

    Raises ValidationFailed (field ``media``), which names the file, what is in it and what is allowed, and NoRoom where
    the disk is full. Call it outside any transaction: looking into and writing a large file takes a while.
    """
    return keep_upload(prepare_upload(file, owner=owner, original_name=original_name, is_in_library=is_in_library))


def prepare_upload(
    file: File[bytes], *, owner: User | None, original_name: str, is_in_library: bool = False
) -> Prepared:
    """Do all that takes a while of ``store_upload``, which see; ``keep_upload`` or ``drop_upload`` comes next."""
    name = _clean_name(original_name)
    stream = cast("BinaryIO", file.open("rb"))  # a File reads and seeks as one
    try:
        upload = inspect_upload(stream, name, **conf.upload_limits())
    except FileRefused as error:
        raise ValidationFailed([Problem("media", str(error))]) from None
    video = _look_into(file, upload, name) if upload.kind == "video" and can_probe() else None
    media = Media(
        owner=owner,
        original_name=name,
        mime_type=upload.mime_type,
        kind=upload.kind,
        width=video.width if video else upload.width,
        height=video.height if video else upload.height,
        duration_seconds=video.duration_seconds if video else upload.duration_seconds or None,
        facts=_facts(upload, video),
        size_bytes=upload.size_bytes,
        sha256=sha256_of(file),
        is_in_library=is_in_library,
    )
    write_file(media, file)
    return Prepared(media, (video.poster if video else b"") or b"")


def keep_upload(prepared: Prepared) -> Media:
    """Write the row of a prepared upload and return it; quick enough for a transaction."""
    media = prepared.media
    try:
        media.save()
    except BaseException:
        drop_upload(prepared)
        raise
    if prepared.poster:
        _keep_poster(media, prepared.poster)
    return media


def drop_upload(prepared: Prepared) -> None:
    """Delete the file of a prepared upload that is not wanted after all."""
    prepared.media.file.delete(save=False)


def discard_upload(media: Media) -> None:
    """Delete an upload that no post uses, with its file. Raises Refused if one does."""
    with atomic():
        Media.objects.select_for_update().filter(pk=media.pk).first()
        if PostMedia.objects.filter(media=media).exists():
            raise Refused(gettext("%(media)s is used by a post; take it off the post first.") % {"media": media})
        delete_files(media)
        media.delete()


def _look_into(file: File[bytes], upload: Upload, name: str) -> VideoFacts:
    refuse_in_transaction(gettext("A video would be looked into"))
    try:
        with as_local_file(file) as local:
            return probe(local, upload.mime_type)
    except ProbeError as error:
        logger.warning("video refused", extra={"reason": str(error), "detail": error.detail})
        raise ValidationFailed(
            [
                Problem(
                    "media",
                    gettext("“%(name)s” was refused: %(error)s. Export it again") % {"name": name[:80], "error": error},
                )
            ]
        ) from None


def _facts(upload: Upload, video: VideoFacts | None) -> dict[str, object]:
    """Return what is kept of a file beside its size and length, in words that say nothing where nothing is known."""
    if upload.kind == "gif":
        return {"frames": upload.frames}
    if upload.has_alpha:
        return {"has_alpha": True}
    if video is None:
        return {}
    kept = asdict(video)
    return {name: kept[name] for name in ("codec", "audio_codec", "frames_per_second")}


def _keep_poster(media: Media, poster: bytes) -> None:
    """Keep a video's first picture for lists; a video without one is a video all the same."""
    picture = inspect_picture(BytesIO(poster), media.original_name, max_bytes=len(poster))
    variant = MediaVariant(media=media, spec_hash=POSTER, mime_type=picture.mime_type, size_bytes=picture.size_bytes)
    variant.width, variant.height = picture.width, picture.height
    with suppress(NoRoom):
        write_file(variant, ContentFile(poster))
        variant.save()


def _clean_name(name: str) -> str:
    """Return the last part of a file name from outside, printable and not too long; for people, never a path."""
    last = PurePosixPath(name.replace("\\", "/").replace("\0", "")).name
    return "".join(sign if sign.isprintable() else "_" for sign in last)[:NAME_MAX_CHARACTERS] or "picture"


def sha256_of(file: File[bytes]) -> str:
    """Return the SHA-256 of an open file, in hex."""
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()
