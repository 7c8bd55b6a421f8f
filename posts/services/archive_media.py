"""Storing the files of an archive, through the same checks as an upload. Outside any transaction; each file once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from django.core.files.base import File
from django.utils.translation import gettext

from posts import conf
from posts.disk import has_no_room
from posts.models import Media
from posts.selectors.archive import media_key
from posts.services.archive_file import Archive, ArchiveRefused, file_name
from posts.services.errors import NoRoom, ValidationFailed
from posts.services.uploads import store_upload

if TYPE_CHECKING:
    from django.contrib.auth.models import User

CHUNK_BYTES = 1 << 20


def store_media(
    archive: Archive,
    needed: Collection[str],
    owner_of: Callable[[str], User | None],
    stored: dict[str, Media],
    progress: Callable[[str], None],
) -> None:
    """Store those of the ``needed`` files that are not here and put them into ``stored``, by key, one by one.

    Raises ArchiveRefused for a file that is not what the archive says or cannot be uploaded here, and NoRoom.
    """
    most_bytes = max(conf.upload_limits().values())
    for record in archive.records("media"):
        key, owner = media_key(record["sha256"], record["owner"]), owner_of(record["owner"])
        is_here = key in stored or Media.objects.filter(sha256=record["sha256"], owner=owner).exists()
        if key not in needed or is_here or not archive.has_file(record["sha256"]):
            continue
        with (
            archive.file(record["sha256"], most_bytes=most_bytes) as source,
            _room_for(record["original_name"]),
            tempfile.TemporaryFile() as copy,
        ):
            if _copied(source, copy) != record["sha256"]:
                words = {"name": file_name(record["sha256"])}
                raise ArchiveRefused(gettext("%(name)s in the archive is damaged: its checksum is another") % words)
            try:
                stored[key] = store_upload(File(copy), owner=owner, original_name=record["original_name"])
            except ValidationFailed as error:
                raise ArchiveRefused(str(error)) from None
        progress(gettext("%(n)s files stored") % {"n": f"{len(stored):,}"})


@contextmanager
def _room_for(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if has_no_room(error):
            raise NoRoom(name) from None
        raise


def _copied(source: IO[bytes], target: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := source.read(CHUNK_BYTES):
        digest.update(piece)
        target.write(piece)
    target.flush()
    target.seek(0)
    return digest.hexdigest()
