"""Making and restoring backups of a real site: everything comes back, or nothing is touched."""

from __future__ import annotations

import io
import resource
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from queue_app import workers
from queue_app.backup import postgresql, restoring
from queue_app.backup.archive import DATABASE, FILES, reading, writing
from queue_app.backup.manifest import BackupError, Entry, Manifest
from queue_app.backup.restoring import require_fitting, require_nobody
from tests.posts.making import account, picture
from tests.site import Site

OTHER_KEY = "b3RoZXIta2V5LW9mLXRlc3RzLW5vYm9keS1lbHNlIDo="
MADE = """
import io
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.base import ContentFile
from django.core.management import call_command
from PIL import Image
from posts.services.posts import save_draft, schedule_post
from posts.services.uploads import store_upload
from queue_app import clock

png = io.BytesIO()
Image.new("RGB", (40, 30), "teal").save(png, "PNG")
PNG = ContentFile(png.getvalue())
call_command("connect_account", "outbox", "--name", "Ada", stdout=io.StringIO())
"""


def manifest(**fields: object) -> Manifest:
    whole = Manifest(
        version="9.9", created_at=datetime(2026, 1, 1, tzinfo=UTC), vendor=connection.vendor, server="",
        database=Entry(DATABASE, 0, ""), plain_bytes=0, migrations=(("posts", "0001_initial"),), counts={}, files=(),
    )  # fmt: skip
    return replace(whole, **fields)  # type: ignore[arg-type]  # by name


def stored_files(site: Site) -> list[Path]:
    return [path for path in (site.directory / "var" / "media").rglob("*") if path.is_file()]


def test_everything_comes_back_from_an_older_version_too(site: Site) -> None:
    backup = site.directory / "b.tar"
    said = site.python(
        f"{MADE}media = store_upload(PNG, owner=None, original_name='a.png')\n"
        "post = save_draft(post=None, owner=None, text='Hello', account_ids=[1], media=[(media.pk, '')])\n"
        "schedule_post(post, at=clock.now())\n"
        "SessionStore().create()\n"
        "call_command('migrate', 'posts', '0009', verbosity=0)\n"
        f"call_command('backup', {str(backup)!r})\ncall_command('backup', {str(backup)!r}, check=True)\n"
    )
    assert "is written" in said
    assert "1 files" in said
    assert "is whole" in said
    # What the site loses afterwards.
    (picture,) = stored_files(site)
    content = picture.read_bytes()
    picture.unlink()
    site.sql("UPDATE posts_post SET text = 'changed'")
    site.env["SOCIALQ_ENCRYPTION_KEYS"] = OTHER_KEY
    site.close()
    done = site.manage("restore", backup, "--replace", "--yes")
    assert "which this site does not have: put it into SOCIALQ_ENCRYPTION_KEYS" in done.stderr
    assert "1 login cannot be opened with the keys of this site: Ada (Outbox)" in done.stdout
    assert site.sql("SELECT text, status FROM posts_post") == [("Hello", "scheduled")]
    assert site.sql("SELECT state, reason FROM queue_app_job WHERE type = 'posts.publish'") == [("held", "restored")]
    assert site.sql("SELECT COUNT(*) FROM django_session") == [(0,)]
    assert site.sql("SELECT COUNT(*) FROM posts_chataddress") == [(0,)], (
        "made by a migration that the backup is without"
    )
    assert picture.read_bytes() == content


def forge(backup: Path, forged: Path, files: Mapping[str, bytes]) -> None:
    """Write a backup of the same database whose end is missing, with other files; and yet all checksums are right."""
    with reading(backup) as source, writing(forged) as target:
        database = source.open(DATABASE).read()
        entry = target.add(DATABASE, io.BytesIO(database[: len(database) * 3 // 4]))
        entries = [target.add(f"{FILES}{name}", io.BytesIO(content)) for name, content in files.items()]
        target.finish(replace(source.manifest, database=entry, files=tuple(entries)))


def test_a_backup_that_breaks_off_leaves_the_old_site_as_it_was(site: Site) -> None:
    backup, forged, media = site.directory / "b.tar", site.directory / "forged.tar", site.directory / "var" / "media"
    site.python(f"{MADE}call_command('backup', {str(backup)!r})")
    forge(backup, forged, {"media/aa/1": b"cat", "media/aa/2": b"whole", "media/aa/3": b"same"})
    (media / "media" / "aa").mkdir(parents=True)
    (media / "media" / "aa" / "2").write_bytes(b"damaged")
    (media / "media" / "aa" / "3").write_bytes(b"same")
    site.sql("UPDATE posts_account SET name = 'Grace'")
    site.close()
    refused = site.manage("restore", forged, "--replace", "--yes", check=False)
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "Nothing was changed" in refused.stderr
    assert site.sql("SELECT name FROM posts_account") == [("Grace",)]
    assert site.sql("SELECT COUNT(*) FROM queue_app_block") == [(0,)]
    assert {path.name: path.read_bytes() for path in stored_files(site)} == {"2": b"damaged", "3": b"same"}


def test_a_file_that_cannot_take_its_place_is_named_and_nothing_is_touched(site: Site) -> None:
    backup, forged, media = site.directory / "b.tar", site.directory / "forged.tar", site.directory / "var" / "media"
    site.python(f"{MADE}call_command('backup', {str(backup)!r})")
    forge(backup, forged, {"media/aa/1": b"cat", "media/aa/2": b"dog"})
    (media / "media" / "aa" / "2").mkdir(parents=True)
    refused = site.manage("restore", forged, "--replace", "--yes", check=False)
    assert (
        f"{media / 'media' / 'aa' / '2'} is in the way of a file of the backup. Nothing was changed" in refused.stderr
    )
    assert stored_files(site) == []


@pytest.mark.one_database
def test_a_database_that_cannot_be_read_is_kept_and_replaced(site: Site) -> None:
    backup = site.directory / "b.tar"
    site.python(f"{MADE}call_command('backup', {str(backup)!r})")
    live = Path(site.database_url.removeprefix("sqlite:///"))
    live.write_bytes(b"no database any more" * 500)
    said = site.manage("restore", backup, "--replace", "--yes").stdout
    assert site.sql("SELECT name FROM posts_account") == [("Ada",)]
    (kept,) = live.parent.glob(f"{live.name}.before-restore-*")
    assert str(kept) in said
    assert kept.read_bytes().startswith(b"no database")


@pytest.mark.django_db(transaction=True)
def test_nothing_is_replaced_while_somebody_uses_it() -> None:
    require_nobody()
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(name)) as other:
            other.execute("PRAGMA journal_mode = WAL").fetchone()
            other.execute("SELECT COUNT(*) FROM posts_post").fetchone()
            with pytest.raises(BackupError, match="Another process has the database open"):
                require_nobody()
    else:
        settings = connection.settings_dict
        where = {"host": settings["HOST"], "port": settings["PORT"], "user": settings["USER"], "dbname": name}
        with psycopg.connect(**where), pytest.raises(BackupError, match="1 other connections"):
            require_nobody()
    require_nobody()
    worker = workers.register("alive", {"default": 1})
    with pytest.raises(BackupError, match=worker.name):
        require_nobody()


@pytest.mark.django_db
@pytest.mark.one_database
def test_a_later_version_and_another_database_are_refused() -> None:
    require_fitting(manifest())
    require_fitting(manifest(migrations=(("an_app_of_before", "0001_initial"),)))
    with pytest.raises(BackupError, match=r"by a later version \(9.9\): posts.9999_later is not known here"):
        require_fitting(manifest(migrations=(("posts", "0001_initial"), ("posts", "9999_later"))))
    with pytest.raises(BackupError, match="import_archive"):
        require_fitting(manifest(vendor="postgresql"))


@pytest.mark.django_db(transaction=True)
def test_a_database_in_use_is_not_replaced_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account("Ada")
    backup = str(tmp_path / "b.tar")
    call_command("backup", backup, "--no-media", stdout=io.StringIO())
    with pytest.raises(CommandError, match=r"The database is not empty: it has accounts: 1\. Add --replace"):
        call_command("restore", backup)
    with pytest.raises(CommandError, match="add --yes"):
        call_command("restore", backup, "--replace")
    # Ctrl-D instead of an answer.
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", Mock(side_effect=EOFError))
    with pytest.raises(CommandError, match=r"^Nothing was changed$"):
        call_command("restore", backup, "--replace", stdout=io.StringIO())


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_restore_says_that_nothing_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    with writing(tmp_path / "b.tar") as target:
        entries = [target.add(name, io.BytesIO(b"cat")) for name in (DATABASE, f"{FILES}media/aa/1")]
        target.finish(manifest(database=entries[0], files=(entries[1],)))
    monkeypatch.setattr(restoring, connection.vendor, Mock(**{"replace.side_effect": KeyboardInterrupt}))
    with (
        reading(tmp_path / "b.tar") as archive,
        pytest.raises(BackupError, match=r"^The backup was not restored: interrupted\. Nothing was changed$"),
    ):
        restoring.restore(archive, progress=lambda _words: None)
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


@pytest.mark.django_db(transaction=True)
def test_without_the_programs_of_postgresql_a_backup_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        nullcontext()
        if connection.vendor == "sqlite"
        else pytest.raises(CommandError, match="pg_dump is not installed")
    ):
        call_command("backup", str(tmp_path / "b.tar"), stdout=io.StringIO())
    assert len(list(tmp_path.iterdir())) == (connection.vendor == "sqlite")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_dump_may_take_longer_than_other_transactions_may_be_idle(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "IDLE_TRANSACTION_SECONDS": 1}
    connection.close()  # the next one has that limit
    dump = postgresql._checked
    monkeypatch.setattr(postgresql, "_checked", lambda command: (time.sleep(1.5), dump(command)))
    with postgresql.dumped(tmp_path) as (_file, size, rows):
        assert size > 0
        assert rows("SELECT 1") is not None
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    name = picture().file.name
    (tmp_path / "media" / name).mkdir(parents=True)
    with pytest.raises(CommandError, match=f"The file {name} cannot be read: "):
        call_command("backup", str(tmp_path / "b.tar"), stdout=io.StringIO())
    assert list(tmp_path.iterdir()) == [tmp_path / "media"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.one_database
def test_no_room_for_a_copy_of_the_database_is_said_of_the_copy(tmp_path: Path) -> None:
    account("Ada")  # the database is open, with all that SQLite keeps beside it
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, allowed[1]))
    try:
        with pytest.raises(CommandError, match=f"The database cannot be copied to {tmp_path}: "):
            call_command("backup", str(tmp_path / "b.tar"), stdout=io.StringIO())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    assert list(tmp_path.iterdir()) == []
