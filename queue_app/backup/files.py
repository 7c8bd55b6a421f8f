"""The files of a backup, back in their places: all of them where what follows succeeds, those of before where it fails.

In a folder each is made ready beside its place, then all take their places; what was there stays beside them until the
end. Knows nothing of the database.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import default_storage

from queue_app.backup.archive import FILES, Progress, Reader, sha256_of, sync_folder
from queue_app.backup.contents import is_folder
from queue_app.backup.manifest import BackupError, Entry
from queue_app.failpoints import failpoint

SHOWN_EVERY = 50


@contextmanager
def files_restored(archive: Reader, progress: Progress) -> Iterator[None]:
    """Have the files of a backup in their places; if what is done meanwhile fails, have those of before there again.

    Raises BackupError and OSError.
    """
    with _in_folder(archive, progress) if is_folder(default_storage) else _in_storage(archive, progress):
        yield


@contextmanager
def _in_folder(archive: Reader, progress: Progress) -> Iterator[None]:
    """Restore into a folder.

    1. What a restore that was killed has left is undone. 2. What is not there as it was is made ready. 3. All of it
    takes its places, and is on the disk. 4. What was there is deleted.
    """
    places = {_place(entry): entry for entry in archive.manifest.files}
    for place in places:
        _bring_back(place)
    changed, added = list[Path](), list[Path]()
    try:
        for number, (place, entry) in enumerate(places.items(), start=1):
            if not place.is_file() or sha256_of(place) != entry.sha256:
                (changed if place.is_file() else added).append(place)
                _make_ready(archive, entry, place)
            _show(progress, number, len(places))
        for place in (*changed, *added):
            _take_place(place)
        for folder in {place.parent for place in (*changed, *added)}:
            sync_folder(folder)
        yield
    except BaseException:
        for place in added:
            place.unlink(missing_ok=True)
        for place in (*changed, *added):
            _bring_back(place)
        raise
    failpoint("restore_before_tidying")
    for place in changed:
        with suppress(OSError):  # it is done
            _kept(place).unlink()


@contextmanager
def _in_storage(archive: Reader, progress: Progress) -> Iterator[None]:
    """Restore into a storage that is no folder: what is there under a name stays."""
    added: list[str] = []
    try:
        for number, entry in enumerate(archive.manifest.files, start=1):
            name = entry.name.removeprefix(FILES)
            if not default_storage.exists(name):
                with archive.open(entry.name) as source:
                    added.append(default_storage.save(name, File(source)))
            _show(progress, number, len(archive.manifest.files))
        yield
    except BaseException:
        for name in added:
            default_storage.delete(name)
        raise


def _place(entry: Entry) -> Path:
    """Return where a file belongs. Raises BackupError where nothing of a backup may be, or no file could be."""
    name = entry.name.removeprefix(FILES)
    try:
        place = Path(default_storage.path(name))
    except SuspiciousFileOperation:
        raise BackupError(f"{name[:80]!r} in the backup leads out of the media folder") from None
    if os.path.lexists(place) and not place.is_file():
        raise BackupError(f"{place} is in the way of a file of the backup")
    return place


def _make_ready(archive: Reader, entry: Entry, place: Path) -> None:
    """Write a file beside its place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with _ready(place).open("wb") as target:
        archive.read(entry, target.write)
        target.flush()
        os.fsync(target.fileno())
    mode = getattr(default_storage, "file_permissions_mode", None)
    if mode is not None:
        _ready(place).chmod(mode)
    failpoint("restore_file_ready")


def _take_place(place: Path) -> None:
    """Put what was made ready into its place, at once; what was there stays beside it."""
    if place.is_file():
        try:
            _kept(place).hardlink_to(place)
        except OSError:  # no such links on this file system
            place.rename(_kept(place))
    _ready(place).replace(place)
    failpoint("restore_file_placed")


def _bring_back(place: Path) -> None:
    """Have at ``place`` what was there before something was made ready or took its place."""
    _ready(place).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        _kept(place).replace(place)
        _kept(place).unlink()  # two names of one file both stay


def _ready(place: Path) -> Path:
    return place.with_name(f".{place.name}.restoring")


def _kept(place: Path) -> Path:
    return place.with_name(f".{place.name}.before-restore")


def _show(progress: Progress, number: int, total: int) -> None:
    if number % SHOWN_EVERY == 0 or number == total:
        progress(f"{number:,} of {total:,} files restored")
