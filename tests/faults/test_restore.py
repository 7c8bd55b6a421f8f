"""A backup under load, restored a day later: intact, held, and nothing goes out that has gone out since."""

from __future__ import annotations

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
