"""Making and restoring backups of a real site: everything comes back, or nothing is touched."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from queue_app import workers
from queue_app.backup.archive import DATABASE, FILES, reading, writing
from queue_app.backup.manifest import BackupError, Entry, Manifest
from queue_app.backup.restoring import require_fitting, require_nobody
from tests.posts.making import account
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


def test_a_backup_that_breaks_off_leaves_the_old_site_as_it_was(site: Site) -> None:
    backup, forged = site.directory / "b.tar", site.directory / "forged.tar"
    site.python(f"{MADE}call_command('backup', {str(backup)!r})")
    with reading(backup) as source, writing(forged) as target:
        database = source.open(DATABASE).read()
        # Its end is missing, and yet all checksums are right.
        entry = target.add(DATABASE, io.BytesIO(database[: len(database) * 3 // 4]))
        file = target.add(f"{FILES}media/aa/1", io.BytesIO(b"cat"))
        target.finish(replace(source.manifest, database=entry, files=(file,)))
    site.sql("UPDATE posts_account SET name = 'Grace'")
    refused = site.manage("restore", forged, "--replace", "--yes", check=False)
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1
    assert site.sql("SELECT name FROM posts_account") == [("Grace",)]
    assert site.sql("SELECT COUNT(*) FROM queue_app_block") == [(0,)]
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
def test_a_database_in_use_is_not_replaced_unasked(tmp_path: Path) -> None:
    account("Ada")
    backup = str(tmp_path / "b.tar")
    call_command("backup", backup, "--no-media", stdout=io.StringIO())
    with pytest.raises(CommandError, match=r"The database is not empty: it has accounts: 1\. Add --replace"):
        call_command("restore", backup)
    with pytest.raises(CommandError, match="add --yes"):
        call_command("restore", backup, "--replace")


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
