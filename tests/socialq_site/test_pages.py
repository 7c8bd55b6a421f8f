from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from queue_app.purge import purge_by_settings

pytestmark = pytest.mark.django_db


def test_the_front_page_leads_to_the_admin(client: Client) -> None:
    response = client.get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")


def test_every_page_forbids_what_does_not_come_from_the_site(client: Client) -> None:
    headers = client.get("/admin/login/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_static_files_are_served_where_collectstatic_never_ran(client: Client) -> None:
    response = client.get("/static/admin/css/base.css")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/css")
    response.close()


def test_the_admin_has_no_pages_of_django_q2() -> None:
    registered = {model._meta.app_label for model in admin.site._registry}
    assert "auth" in registered
    assert "django_q" not in registered
    assert list(apps.get_app_config("django_q").get_models())


def test_an_ordinary_async_task_goes_to_the_sites_database() -> None:
    from django_q.models import OrmQ
    from django_q.tasks import async_task

    async_task("math.sqrt", 4)
    assert OrmQ.objects.count() == 1


def test_sessions_that_are_over_go_with_the_daily_purge() -> None:
    for days in (-1, 1):
        Session.objects.create(session_key=f"key{days}", expire_date=timezone.now() + timedelta(days=days))
    purge_by_settings()
    assert list(Session.objects.values_list("session_key", flat=True)) == ["key1"]
