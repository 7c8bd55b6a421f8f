"""Accounts and posts of a served site, made by its own services before the browser looks at them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.browser.conftest import Served

BEFORE = """
import json
from datetime import timedelta
from django.contrib.auth.models import User
from posts.models import *
from posts.services.accounts import connect_account
from posts.services.outbox import set_outbox_failure
from posts.services.posts import cancel_post, publish_now, retry_post, save_draft, schedule_post
from posts.services.tags import set_tags
from queue_app import clock
boss = User.objects.get(username="admin")
def outbox(name, failure="", times=None, keeps_keys="yes"):
    account = connect_account("outbox", {"name": name, "keeps_keys": keeps_keys}, owner=None)
    return set_outbox_failure(account, failure, times) if failure else account
def draft(text, *accounts, tags=()):
    ids = [account.pk for account in accounts]
    post = save_draft(post=None, owner=boss, text=text, account_ids=ids, media=[], timezone="Europe/Berlin")
    set_tags(post, tags)
    return post
def scheduled(text, *accounts, hours=24.0, tags=()):
    at = clock.now() + timedelta(hours=hours)
    return schedule_post(draft(text, *accounts, tags=tags), at=at, timezone="Europe/Berlin", actor=boss)
def now(text, *accounts):
    return publish_now(draft(text, *accounts), actor=boss)
"""


def seed(served: Served, code: str) -> Any:
    """Run ``code`` with the helpers above on the site; return what it leaves in ``made``, as JSON carries it."""
    printed = served.site.do(f"{BEFORE}\nmade = None\n{code}\nprint('made:' + json.dumps(made))")
    return json.loads(printed.rpartition("made:")[2])


def make_due(served: Served, name: str) -> None:
    """Let what was scheduled ahead for the account of this name be due now."""
    due = """UPDATE queue_app_job SET run_at = %s WHERE run_at > %s AND id IN (SELECT job_id FROM posts_delivery
             JOIN posts_account ON posts_account.id = account_id WHERE name = %s)"""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    served.site.sql(due, [now, now, name])


def delivery_page(served: Served, text: str) -> str:
    """Return the address of the page of the only delivery of the post with this text."""
    rows = served.site.sql(
        "SELECT posts_delivery.id FROM posts_delivery JOIN posts_post ON posts_post.id = post_id WHERE text = %s",
        [text],
    )
    return f"/admin/posts/delivery/{rows[0][0]}/change/"


def status_of(served: Served, text: str) -> str:
    """Return the status of the post with this text, as stored."""
    return str(served.site.sql("SELECT status FROM posts_post WHERE text = %s", [text])[0][0])
