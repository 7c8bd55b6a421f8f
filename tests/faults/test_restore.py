"""A backup under load, restored a day later: intact, held, and nothing goes out that has gone out since.

A restore that is killed leaves the site of before or the one of the backup, and run again it ends well.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.conftest import Injected
from tests.faults.rounds import LONG
from tests.site import Site

pytestmark = [pytest.mark.faults, pytest.mark.row(19), pytest.mark.xdist_group("clusters")]

POSTS = 60 if LONG else 8
WRITING = """
from datetime import timedelta
from io import StringIO
from django.core.management import call_command
from posts.models import Account, Post
from posts.services.posts import reschedule_post, save_draft, schedule_post
from queue_app import clock

def schedule(text, count, hours):
    for number in range(count):
        ids = list(Account.objects.values_list("pk", flat=True))
        post = save_draft(post=None, owner=None, text=f"{text} {number}", account_ids=ids, media=[])
        schedule_post(post, at=clock.now() + timedelta(hours=hours))
"""
A_DAY_LATER = "clock.set_offset(timedelta(days=1))\n"


def accepted(site: Site) -> set[str]:
    return {str(key) for (key,) in site.sql("SELECT sender_key FROM posts_outboxarrival WHERE accepted")}


def jobs(site: Site, state: str, text: str = "") -> int:
    found = site.sql(
        "SELECT COUNT(*) FROM queue_app_job j JOIN posts_delivery d ON d.job_id = j.id"
        " JOIN posts_post p ON p.id = d.post_id WHERE j.state = %s AND p.text LIKE %s",
        [state, f"{text}%"],
    )
    return int(found[0][0])


def test_what_went_out_after_the_backup_does_not_go_out_again(site: Site, injected: Injected) -> None:
    site.env |= {"SOCIALQ_EXPIRE_AFTER_HOURS": "72", "SOCIALQ_WORKERS": "2"}
    site.spawn("qcluster")
    # 1. A backup while posts are written and published; what waits then goes out on the old system, in its first hours.
    site.do(f"{WRITING}call_command('connect_account', 'outbox', '--name', 'Ada')\nschedule('old', {POSTS}, 1)")
    site.spawn("shell", "-c", f"{WRITING}schedule('later', 2, 3)\nschedule('load', 5 * {POSTS}, 0)")
    site.wait_until(lambda: len(accepted(site)) >= POSTS)
    backup = site.directory / "b.tar"
    (in_two_hours,) = site.do(
        f"{WRITING}call_command('backup', {str(backup)!r}, stdout=StringIO())\n"
        "for post in Post.objects.filter(text__startswith='old'):\n    reschedule_post(post, at=clock.now())\n"
        "print((clock.now() + timedelta(hours=2)).isoformat())"
    ).split()
    injected("a backup while posts are published and written")
    site.wait_until(lambda: jobs(site, "completed", "old") == POSTS, 60)
    site.close()
    before = accepted(site)
    assert len(before) > POSTS
    site.close()  # whoever looks into PostgreSQL would be in the restore's way
    # 2. A day later it is brought back; the site boots, and new work waits, too.
    site.do(
        f"{WRITING}{A_DAY_LATER}call_command('restore', {str(backup)!r}, replace=True, yes=True)\nschedule('new', 1, 0)"
    )
    restored, held = accepted(site), jobs(site, "held")
    assert restored < before
    assert jobs(site, "held", "old") == POSTS
    site.spawn("shell", "-c", f"{WRITING}{A_DAY_LATER}call_command('qcluster')")
    parked = "SELECT COUNT(*) FROM queue_app_job WHERE type = 'posts.publish' AND parked_by = 'all'"
    site.wait_until(lambda: site.sql(parked) == [(1,)])
    assert accepted(site) == restored
    # 3. A person says when the old system stopped: what was due after that goes on, and the new post.
    site.do(f"{WRITING}{A_DAY_LATER}call_command('release_restored', due_after={in_two_hours!r})")
    site.wait_until(lambda: len(accepted(site)) >= len(restored) + 3)
    assert jobs(site, "held") == held - 2, "a person decides on each of them"
    assert (accepted(site) - restored) & before == set(), "nothing went out a second time"


PICTURES = """
from io import BytesIO, StringIO
from django.core.files.base import ContentFile
from django.core.management import call_command
from PIL import Image
from posts.services.posts import save_draft
from posts.services.uploads import store_upload

call_command("connect_account", "outbox", "--name", "Ada", stdout=StringIO())
media = []
for colour in ("teal", "plum"):
    png = BytesIO()
    Image.new("RGB", (40, 30), colour).save(png, "PNG")
    media.append((store_upload(ContentFile(png.getvalue()), owner=None, original_name="a.png").pk, ""))
save_draft(post=None, owner=None, text="Hello", account_ids=[1], media=media)
"""
BEFORE_THE_COMMIT = ["restore_file_ready", "restore_file_placed", "restore_before_commit"]


def backed_up(site: Site) -> tuple[Path, dict[Path, bytes]]:
    """Return a backup and its pictures, of which one is damaged since and one is gone; the account has another name."""
    backup = site.directory / "b.tar"
    site.do(f"{PICTURES}call_command('backup', {str(backup)!r}, stdout=StringIO())")
    pictures = files(site)
    damaged, gone = pictures
    damaged.write_bytes(b"damaged")
    gone.unlink()
    site.sql("UPDATE posts_account SET name = 'Grace'")
    return backup, pictures


def files(site: Site) -> dict[Path, bytes]:
    found = (site.directory / "var" / "media").rglob("*")
    return {path: path.read_bytes() for path in found if path.is_file()}


def restore(site: Site, backup: Path, failpoints: str = "") -> int:
    """Run a restore, with nobody connected to the database; return its exit code."""
    site.close()
    site.env["SOCIALQ_FAILPOINTS"] = failpoints
    return site.manage("restore", backup, "--replace", "--yes", check=not failpoints).returncode


def left_beside(site: Site) -> list[Path]:
    """Return what a restore has made beside the site's files and its database."""
    left = list((site.directory / "var" / "media").rglob(".*restor*"))
    if site.database_url.startswith("sqlite:"):
        live = Path(site.database_url.removeprefix("sqlite:///"))
        left += live.parent.glob(f".{live.name}*")
    return left


@pytest.mark.parametrize("step", [*BEFORE_THE_COMMIT, "restore_in_order", "restore_before_tidying"])
def test_a_restore_that_is_killed_at_any_step_can_be_run_again(site: Site, injected: Injected, step: str) -> None:
    backup, pictures = backed_up(site)
    (damaged, _gone) = pictures
    # 1. It is killed: what the site has is of before, or of the backup.
    assert restore(site, backup, f"{step}=kill") == -signal.SIGKILL
    injected("kill -9 of a restore at a step")
    # On SQLite all is in order before anybody sees it, on PostgreSQL it is paused.
    is_of_before = step in BEFORE_THE_COMMIT or (step == "restore_in_order" and site.database_url.startswith("sqlite:"))
    site.wait_until(lambda: site.sql("SELECT name FROM posts_account") == [("Grace" if is_of_before else "Ada",)])
    assert site.sql("SELECT COUNT(*) FROM queue_app_block WHERE key = 'all'") == [(0 if is_of_before else 1,)]
    assert damaged.read_bytes() in (b"damaged", pictures[damaged])
    # 2. It is run again and fails.
    if is_of_before:
        assert restore(site, backup, f"{step}=raise") == 1
        injected("a failure of a restore after another was killed")
        assert site.sql("SELECT name FROM posts_account") == [("Grace",)]
        assert damaged.read_bytes() == b"damaged"
        assert left_beside(site) == []
    # 3. It is run again.
    restore(site, backup)
    assert site.sql("SELECT name FROM posts_account") == [("Ada",)]
    assert files(site) == pictures
    assert left_beside(site) == []


@pytest.mark.one_database
def test_what_a_killed_restore_has_left_is_not_taken_for_the_next_ones(site: Site, injected: Injected) -> None:
    first, second = site.directory / "first.tar", site.directory / "second.tar"
    site.do(
        f"{WRITING}call_command('backup', {str(first)!r}, stdout=StringIO())\n"
        f"call_command('connect_account', 'outbox', '--name', 'Ada')\nschedule('Hello', 20, 1)\n"
        f"call_command('backup', {str(second)!r}, stdout=StringIO())"
    )
    # The pages that this has written are still in the log beside its database.
    assert restore(site, second, "restore_in_order=kill") == -signal.SIGKILL
    injected("kill -9 of a restore, then another backup")
    restore(site, first)
    assert site.sql("PRAGMA integrity_check") == [("ok",)]
    assert site.sql("SELECT COUNT(*) FROM posts_post") == [(0,)]
