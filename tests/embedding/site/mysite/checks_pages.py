"""Every page of both apps opens and works, with this site's users, language, databases and addresses."""

import io
import re
import uuid
from datetime import timedelta

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connections
from django.test import TransactionTestCase
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from posts import api
from posts.models import Post
from posts.services.accounts import connect_account
from queue_app import keys
from queue_app.database import alias
from queue_app.testing import run_due_jobs

APPS = ("queue_app", "posts")
# A number that a program reads, written for people.
FOR_PEOPLE = re.compile(
    r' (?:value|id|name|for|form|max|min|width|height|viewBox|href|data-[a-z-]+)="[^"]*\d\.\d{3}\b[^"]*"'
)


def person(name, **fields):
    model = get_user_model()
    return model.objects.create_user(**{model.USERNAME_FIELD: name, "is_staff": True, **fields})


class PagesTests(TransactionTestCase):
    databases = "__all__"

    def setUp(self):
        with connections[alias()].cursor() as cursor:  # the next rows have numbers of four digits
            cursor.execute("UPDATE sqlite_sequence SET seq = 1233")
        self.chief = person("chief@example.org", is_superuser=True)
        self.writer = person("writer@example.org")
        mine = Permission.objects.filter(content_type__app_label="posts").exclude(codename="view_all_posts")
        self.writer.user_permissions.set(mine)
        self.account = connect_account("outbox", {"name": "Newsroom"})
        self.post = self.publish(self.account, self.writer, timezone.now() + timedelta(days=1))

    def publish(self, subject, owner, at=None):
        return api.publish(subject, text="Hello", accounts=[self.account], owner=owner, at=at)

    def test_every_page_opens_for_an_administrator(self):
        self.publish(self.writer, self.chief)
        run_due_jobs()
        self.client.force_login(self.chief)
        opened = []
        for address in self.addresses():
            with self.subTest(address):
                opened.append(self.opens(address))
        self.assertGreater(sum(opened), 30)
        self.assertTrue(self.opens(reverse("posts:outbox")))

    def test_writers_see_and_change_what_is_theirs(self):
        self.client.force_login(self.writer)
        for model in ("post", "delivery", "media", "account"):
            self.assertTrue(self.opens(reverse(f"admin:posts_{model}_changelist")))
        self.assertTrue(self.opens(reverse("admin:posts_post_change", args=[self.post.pk])))
        token, form = str(uuid.uuid4()), {"text": "From the composer", "timezone": "Europe/Berlin", "priority": "5"}
        form |= {"token": token, "accounts": [self.account.pk], "_publish_surely": "yes"}
        answer = self.client.post(reverse("admin:posts_post_add"), form)
        self.assertEqual(answer.status_code, 302, answer.content.decode())
        written = Post.objects.get(text="From the composer")
        self.assertEqual((written.owner, written.status), (self.writer, "scheduled"))
        other = self.publish(self.writer, self.chief, timezone.now() + timedelta(days=1))
        self.assertFalse(self.opens(reverse("admin:posts_post_change", args=[other.pk])))
        with self.assertRaises(api.NotAllowed):
            api.cancel(self.writer, actor=self.writer)
        self.assertEqual(api.cancel(self.account, actor=self.writer).cancelled, 1)

    def test_people_are_known_by_their_names_and_keys(self):
        call_command(
            "create_api_key", self.writer.get_username(), name="phone", scope=["read"], stdout=(said := io.StringIO())
        )
        self.assertEqual(keys.find_key(f"Bearer {said.getvalue().strip()}").user, self.writer)
        LogEntry.objects.create(user=self.chief, action_flag=1, object_repr="seen in the history")
        self.client.force_login(self.chief)
        address = reverse("admin:admin_logentry_changelist")
        for asked, seen in ((self.chief.pk, True), (self.writer.pk, False), ("nonsense", False), ("9" * 30, False)):
            page = self.client.get(address, {"person": asked}).content.decode()
            self.assertEqual("seen in the history" in page, seen, asked)

    def addresses(self):
        """Yield the address of every page of the two apps, of the objects that are there."""
        yield reverse("admin:index")
        for pattern in admin.site.get_urls():
            for each in getattr(pattern, "url_patterns", [pattern]):
                if each.name and each.name.startswith(APPS):
                    yield from self.addresses_of(each.name)

    def addresses_of(self, name):
        owners = [
            model for model in admin.site._registry if name.startswith(f"{model._meta.label_lower.replace('.', '_')}_")
        ]
        found = owners[0]._default_manager.first() if owners else None
        for args in ([], [found.pk] if found else []):
            try:
                yield reverse(f"admin:{name}", args=args)
                return
            except NoReverseMatch:
                continue

    def opens(self, address):
        """Say whether it is a page; those that only take what is sent to them refuse to be opened, and are no error."""
        page = self.client.get(address)
        self.assertIn(page.status_code, (200, 302, 400, 403, 404, 405), address)
        if settings.USE_THOUSAND_SEPARATOR and not page.streaming:
            self.assertEqual(FOR_PEOPLE.findall(page.content.decode()), [], address)
        return page.status_code == 200
