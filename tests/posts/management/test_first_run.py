"""The first start of a site makes it usable, once."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from posts.models import Account, Delivery, DeliveryStatus, OutboxPost, Post
from queue_app import clock, runner
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True)


def first_run() -> str:
    out = io.StringIO()
    call_command("first_run", stdout=out)
    return out.getvalue()


def test_makes_an_administrator_an_outbox_and_a_demo_post() -> None:
    said = first_run()
    admin = User.objects.get()
    assert (admin.username, admin.is_superuser, admin.is_staff) == ("admin", True, True)
    password = said.split("with the password ")[1].split()[0]
    assert admin.check_password(password)
    assert "this once only" in said
    delivery = Delivery.objects.select_related("post", "account", "job").get()
    assert (delivery.account.platform, delivery.status) == ("outbox", DeliveryStatus.SCHEDULED)
    assert delivery.post.owner == admin
    assert delivery.job is not None
    assert timedelta(0) < delivery.job.run_at - delivery.post.created_at < timedelta(seconds=6)


def test_the_demo_post_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    first_run()
    monkeypatch.setattr(runner, "_worker", None)
    try:
        clock.set_offset(timedelta(seconds=6))
        runner.run_due("default", "tests")
    finally:
        clock.set_offset(timedelta(0))
    assert Delivery.objects.get().status == DeliveryStatus.PUBLISHED
    assert OutboxPost.objects.get().text.startswith("Hello!")


def test_a_chosen_password_is_not_printed(settings: Any) -> None:
    settings.ADMIN_PASSWORD = "canary-password"
    assert "canary-password" not in first_run()
    assert User.objects.get().check_password("canary-password")


def test_run_again_it_changes_nothing() -> None:
    first_run()
    Post.objects.all().delete()
    assert first_run() == ""
    assert not Post.objects.exists()


def test_leaves_a_site_with_users_alone() -> None:
    User.objects.create_user("grace")
    assert first_run() == ""
    assert not Account.objects.exists()


def test_without_the_outbox_there_is_no_demo(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["bluesky"]}
    first_run()
    assert User.objects.exists()
    assert not Account.objects.exists()


def test_nothing_is_half_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("posts.management.commands.first_run.schedule_post", refuse)
    with pytest.raises(RuntimeError):
        first_run()
    assert not User.objects.exists()
    assert not Account.objects.exists()


def test_two_at_once_make_one(site: Site) -> None:
    processes = [site.spawn("first_run") for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert site.sql("SELECT COUNT(*) FROM auth_user") == [(1,)]
    assert site.sql("SELECT COUNT(*) FROM posts_post") == [(1,)]
    assert site.log.read_text().count("Created the user admin") == 1
