"""The one file: whole or not there, and whatever else is called a backup is refused in words."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from queue_app.backup.archive import DATABASE, MANIFEST, reading, writing
from queue_app.backup.manifest import BackupError, Entry, Manifest

EMPTY = Manifest(
    version="1", created_at=datetime(2026, 1, 1, tzinfo=UTC), vendor="sqlite", server="3", database=Entry("", 0, ""),
    plain_bytes=3, migrations=(("posts", "0001_initial"),), counts={"posts.Post": 1}, files=(),
)  # fmt: skip


def write(path: Path) -> Path:
    with writing(path) as writer:
        database = writer.add(DATABASE, io.BytesIO(b"rows"))
        files = (writer.add("files/media/aa/1", io.BytesIO(b"cat")),)
        writer.finish(replace(EMPTY, database=database, files=files))
    return path


def verify(path: Path) -> Manifest:
    with reading(path) as archive:
        archive.verify(lambda words: None)
        return archive.manifest


def add(path: Path, name: str, **fields: Any) -> None:
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    with tarfile.open(path, "a") as tar:
        tar.addfile(member, io.BytesIO(bytes(member.size)))


def test_what_is_written_is_read_again_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "b.tar")
    assert path.stat().st_mode & 0o777 == 0o600
    found = verify(path)
    assert (found.counts, found.migrations) == (EMPTY.counts, EMPTY.migrations)
    assert [(entry.name, entry.size_bytes) for entry in found.files] == [("files/media/aa/1", 3)]


def test_a_failure_leaves_nothing_and_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path, closed = tmp_path / "b.tar", io.BytesIO()
    closed.close()
    with pytest.raises(ValueError, match="closed"), writing(path) as writer:
        writer.add(DATABASE, closed)
    assert list(tmp_path.iterdir()) == []
    write(path)
    with pytest.raises(BackupError, match="there already"):
        write(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "b.tar")
    # Less than its last blocks of zeros, which say nothing.
    end = path.read_bytes().rindex(b"}") + 1
    for size in (0, 10, 600, 1100, 2000, end - 1):
        os.truncate(write(tmp_path / f"{size}.tar"), size)
        with pytest.raises(BackupError):
            verify(tmp_path / f"{size}.tar")


def test_every_changed_byte_of_a_file_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "b.tar")
    damaged = path.read_bytes().replace(b"cat", b"cut")
    path.write_bytes(damaged)
    with pytest.raises(BackupError, match="files/media/aa/1 in the backup is damaged"):
        verify(path)


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("files/../../etc/cron.d/x", {}, "no name of a backup's file"),
        ("/etc/passwd", {}, "no name of a backup's file"),
        ("files//x", {}, "no name of a backup's file"),
        ("files/a\\b", {}, "no name of a backup's file"),
        ("files/x", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "no plain file"),
        ("files/x", {"type": tarfile.LNKTYPE, "linkname": DATABASE}, "no plain file"),
        ("files/x", {"type": tarfile.CHRTYPE, "devmajor": 1}, "no plain file"),
        ("files/x", {"type": tarfile.FIFOTYPE}, "no plain file"),
        ("files/x", {"type": tarfile.DIRTYPE}, "no plain file"),
        ("files/media/aa/1", {}, "twice"),
        ("files/more", {}, "does not hold the files"),
    ],
)
def test_members_that_no_backup_has_are_refused(tmp_path: Path, name: str, fields: dict[str, Any], words: str) -> None:
    path = write(tmp_path / "b.tar")
    add(path, name, **fields)
    with pytest.raises(BackupError, match=words):
        verify(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: {**said, "format": 2},
        lambda said: [],
        lambda said: {**said, "files": [{}]},
        lambda said: {**said, "created_at": "yesterday"},
        lambda said: {**said, "created_at": "2026-01-01"},
        lambda said: {**said, "plain_bytes": -1},
        lambda said: {**said, "plain_bytes": True},
        lambda said: {**said, "migrations": [["posts"]]},
        lambda said: {**said, "database": {**said["database"], "sha256": "x"}},
        lambda said: {**said, "database": {**said["database"], "size_bytes": 5}},
        lambda said: {**said, "files": said["files"] * 2},
        lambda said: {**said, "files": []},
        lambda said: {**said, "counts": None},
    ],
)
def test_a_manifest_of_nonsense_is_refused(tmp_path: Path, change: Callable[[Any], Any]) -> None:
    with tarfile.open(write(tmp_path / "b.tar")) as source, tarfile.open(tmp_path / "c.tar", "w") as target:
        for member in source:
            content = source.extractfile(member)
            assert content is not None
            data = content.read()
            if member.name == MANIFEST:
                data = json.dumps(change(json.loads(data))).encode()
                member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    with pytest.raises(BackupError):
        verify(tmp_path / "c.tar")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x1f\x8b" + bytes(600), b"[" * 5000])
def test_other_files_are_no_backups(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    with pytest.raises(BackupError):
        verify(tmp_path / "b.tar")


def test_a_folder_and_a_missing_file_are_no_backups(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(BackupError, match="There is no file"):
            verify(path)
