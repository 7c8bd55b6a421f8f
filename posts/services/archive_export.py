"""Writing an archive: the records that ``selectors.archive`` yields, and the files. It is there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext

from posts.models import Media
from posts.selectors.archive import (
    accounts_to_export,
    media_to_export,
    post_records,
    posts_to_export,
    recurrences_to_export,
)
from posts.services.archive_file import FORMAT, HEADER, file_name, records_name
from posts.services.errors import Refused
from posts.services.storing import opener_of
from queue_app import clock, workers

CHUNK_BYTES = 1 << 20

Progress = Callable[[str], None]


def export_archive(
    path: Path, *, owners: Collection[str] = (), since: datetime | None = None, progress: Progress
) -> Counter[str]:
    """Write posts of ``owners`` (none: everybody's) written ``since``, with all that they use; return how many of what.

    Accounts go without their logins. Raises Refused where there is a file already and where it cannot be written.
    """
    if path.exists():
        raise Refused(gettext("%(path)s is there already; give another name") % {"path": path})
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
                counts = _Export(zipped, progress).write(owners, since)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        words = {"path": path, "reason": error.strerror or error}
        raise Refused(gettext("%(path)s cannot be written: %(reason)s") % words) from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()
    return counts


class _Export:
    """One archive that is being written."""

    def __init__(self, zipped: zipfile.ZipFile, progress: Progress) -> None:
        self._zip, self._progress = zipped, progress
        self._accounts, self._media, self._series = set[int](), set[int](), set[int]()
        self._counts: Counter[str] = Counter()

    def write(self, owners: Collection[str], since: datetime | None) -> Counter[str]:
        """Write everything; posts first, for they say what else is needed."""
        self._write_records("posts", self._posts(owners, since))
        self._write_records("accounts", accounts_to_export(owners, self._accounts))
        self._write_records("recurrences", recurrences_to_export(self._series))
        with_files: dict[str, Media] = {}
        self._write_records("media", self._described(owners, with_files))
        for number, (sha256, media) in enumerate(with_files.items(), start=1):
            self._write_file(sha256, media)
            self._progress(gettext("%(n)s of %(all)s files") % {"n": f"{number:,}", "all": f"{len(with_files):,}"})
        header = {
            "format": FORMAT,
            "version": workers.software_version(),
            "created_at": clock.now().isoformat(),
            "counts": dict(self._counts),
        }
        self._zip.writestr(HEADER, json.dumps(header))
        return self._counts

    def _posts(self, owners: Collection[str], since: datetime | None) -> Iterator[dict[str, Any]]:
        for post, record in post_records(posts_to_export(owners, since)):
            self._accounts |= {delivery.account_id for delivery in post.deliveries.all()}
            self._media |= {each.media_id for each in post.post_media.all()}
            if post.recurrence_id is not None:
                self._series.add(post.recurrence_id)
            yield record

    def _described(self, owners: Collection[str], with_files: dict[str, Media]) -> Iterator[dict[str, Any]]:
        for media, record in media_to_export(owners, self._media):
            if media.file_deleted_at is None:
                with_files.setdefault(media.sha256, media)
            yield record

    def _write_records(self, kind: str, records: Iterable[dict[str, Any]]) -> None:
        with self._zip.open(records_name(kind), "w") as member:
            for record in records:
                member.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
                self._counts[kind] += 1
                self._progress(f"{self._counts[kind]:,} {kind}")

    def _write_file(self, sha256: str, media: Media) -> None:
        """Add a file as it is; one that is missing is counted, and its record stays."""
        member = zipfile.ZipInfo(file_name(sha256))
        try:
            stored = opener_of(media)()
        except FileNotFoundError:
            self._counts["files_missing"] += 1
            return
        except OSError as error:
            words = {"name": media.file.name, "reason": error.strerror or error}
            raise Refused(gettext("The file %(name)s cannot be read: %(reason)s") % words) from error
        with stored, self._zip.open(member, "w", force_zip64=True) as target:
            shutil.copyfileobj(stored, target, CHUNK_BYTES)
        self._counts["files"] += 1
