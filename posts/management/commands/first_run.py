"""Make a new site usable: the user admin, an outbox account and one demo post. Leaves a site that has users alone."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from posts import conf
from posts.services.accounts import connect_account
from posts.services.posts import save_draft, schedule_post
from queue_app import clock
from queue_app.database import atomic, lock_control
from queue_app.management.base import OneLineCommand

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ADMIN = "admin"
PASSWORD_BYTES = 12
DEMO_DELAY = timedelta(seconds=5)
DEMO_ACCOUNT = "Demo"
DEMO_TEXT = """\
Hello! This is the demo post of your new SocialQ.

It was written when the site started for the first time, scheduled five seconds ahead, and published here by a worker.

The outbox is built in and needs no account anywhere, so you can try everything with it: write, schedule, cancel, retry.

To publish elsewhere, connect an account; manage.py connect_account --help says how."""


class Command(OneLineCommand):
    help = "On a new site: create the user admin, an outbox account and a demo post. Run again, it changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        """Create all of it in one transaction; of two processes at once the second finds it done."""
        if get_user_model().USERNAME_FIELD != "username":
            raise CommandError("first_run knows Django's own users only; run manage.py createsuperuser here")
        users = get_user_model().objects
        if users.exists():
            return
        chosen: str = getattr(settings, "ADMIN_PASSWORD", "")
        password = chosen or secrets.token_urlsafe(PASSWORD_BYTES)
        with atomic():
            lock_control(shared=False)
            if users.exists():
                return
            admin = users.create_superuser(username=ADMIN, password=password)
            if "outbox" in conf.get("ENABLED_PLATFORMS"):
                _schedule_demo(admin)
        if chosen:
            self.stdout.write(f"Created the user {ADMIN} with the password in SOCIALQ_ADMIN_PASSWORD.")
        else:
            self.stdout.write(f"Created the user {ADMIN} with the password {password} (shown this once only).")


def _schedule_demo(admin: User) -> None:
    account = connect_account("outbox", {"name": DEMO_ACCOUNT})
    post = save_draft(post=None, owner=admin, text=DEMO_TEXT, account_ids=[account.pk], media=[])
    schedule_post(post, at=clock.now() + DEMO_DELAY, actor=admin)
