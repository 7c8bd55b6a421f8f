"""Whoever guesses a password is shut out, by every process; nobody else is."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core import serializers
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
RIGHT, WRONG = "right-canary", "wrong-canary"


@pytest.fixture(autouse=True)
def boss() -> User:
    return User.objects.create_superuser("boss", password=RIGHT)


def log_in(password: str, *, name: str = "boss", address: str = "192.0.2.1", **headers: str) -> Any:
    """Send the form as a program without a session would: whatever one process remembers of it is gone."""
    cache.clear()
    return Client(REMOTE_ADDR=address, headers=headers).post(LOGIN, {"username": name, "password": password})


def is_in(response: HttpResponse) -> bool:
    return response.status_code == 302


def test_of_a_thousand_wrong_passwords_ten_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    check = User.check_password
    monkeypatch.setattr(User, "check_password", lambda self, raw: looked_at.append(raw) or check(self, raw))
    for n in range(1000):
        cache.clear()
        request = RequestFactory().post(LOGIN, REMOTE_ADDR="192.0.2.1")
        assert authenticate(request, username="boss", password=f"{WRONG}-{n}") is None
    assert len(looked_at) == 10
    assert [log_in(WRONG).status_code, log_in(RIGHT).status_code] == [429, 429]


def test_others_and_other_addresses_still_come_in(boss: User) -> None:
    User.objects.create_superuser("deputy", password=RIGHT)
    for _each in range(10):
        log_in(WRONG)
    assert not is_in(log_in(RIGHT))
    assert is_in(log_in(RIGHT, name="deputy"))
    assert is_in(log_in(RIGHT, address="192.0.2.2"))


def test_another_browser_or_a_made_up_header_does_not_help() -> None:
    for n in range(10):
        log_in(WRONG, **{"User-Agent": f"browser {n}", "X-Forwarded-For": f"198.51.100.{n}"})
    assert not is_in(log_in(RIGHT, **{"User-Agent": "new", "X-Forwarded-For": "198.51.100.99"}))


def test_after_a_quarter_of_an_hour_the_right_password_is_taken_again() -> None:
    for _each in range(10):
        log_in(WRONG)
    with time_machine.travel(timezone.now() + timedelta(minutes=14)):
        assert not is_in(log_in(RIGHT))
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert is_in(log_in(RIGHT))
        assert not AccessAttempt.objects.exists()


def test_the_right_password_begins_the_count_anew() -> None:
    for _round in range(3):
        for _each in range(9):
            log_in(WRONG)
        assert is_in(log_in(RIGHT))


def test_many_names_from_one_address_are_bounded_and_other_addresses_are_not(settings: Any) -> None:
    settings.LOGIN_WRONG_PASSWORDS = 30
    User.objects.create_superuser("deputy", password=RIGHT)
    statuses = [log_in(WRONG, name=f"name-{n}").status_code for n in range(30)]
    assert statuses == [200] * 29 + [429]
    refused = log_in(RIGHT)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "900")
    assert "no password is looked at from your address" in refused.content.decode()
    assert is_in(log_in(RIGHT, name="deputy", address="192.0.2.2"))
    assert AccessAttempt.objects.count() == 30
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert is_in(log_in(RIGHT))


def test_who_comes_in_clears_what_they_mistyped_and_not_what_others_guessed(settings: Any) -> None:
    settings.LOGIN_WRONG_PASSWORDS = 30
    for n in range(27):
        log_in(WRONG, name=f"name-{n}")
        if n % 9 == 0:
            log_in(WRONG)
            assert is_in(log_in(RIGHT))
    assert [log_in(WRONG, name=f"late-{n}").status_code for n in range(3)] == [200, 200, 429]
    assert not is_in(log_in(RIGHT))


def test_a_name_that_is_locked_uses_up_no_more_of_its_addresss_share(settings: Any) -> None:
    settings.LOGIN_WRONG_PASSWORDS = 12
    User.objects.create_superuser("deputy", password=RIGHT)
    for _each in range(40):
        log_in(WRONG)
    assert is_in(log_in(RIGHT, name="deputy"))


def test_behind_a_trusted_proxy_the_address_of_who_asks_is_bounded(settings: Any) -> None:
    settings.LOGIN_WRONG_PASSWORDS = 20
    settings.SOCIALQ = {**settings.SOCIALQ, "TRUSTED_PROXIES": 1}
    for n in range(20):
        log_in(WRONG, name=f"name-{n}", **{"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.7"})
    assert log_in(RIGHT, **{"X-Forwarded-For": "203.0.113.99, 198.51.100.7"}).status_code == 429
    assert is_in(log_in(RIGHT, **{"X-Forwarded-For": "198.51.100.8"}))


@pytest.mark.parametrize(("limit", "address"), [(0, "192.0.2.1"), (5, "")])
def test_no_limit_and_an_unknown_address_bound_nobody(settings: Any, limit: int, address: str) -> None:
    settings.LOGIN_WRONG_PASSWORDS = limit
    for n in range(10):
        log_in(WRONG, name=f"name-{n}", address=address)
    assert is_in(log_in(RIGHT, address=address))


def test_the_page_says_so_and_when_to_try_again() -> None:
    for _each in range(10):
        refused = log_in(WRONG)
    assert refused.headers["Retry-After"] == "900"
    assert refused.headers["Cache-Control"] == "no-store"
    page = refused.content.decode()
    assert "Too many wrong passwords" in page
    assert "15 minutes" in page
    assert "for this name from your address" in page
    assert "SocialQ" in page


def test_passwords_are_kept_and_logged_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for _each in range(12):
        log_in(WRONG)
    kept = serializers.serialize("json", AccessAttempt.objects.all())
    assert "canary" not in kept + caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert [record.getMessage() for record in caplog.records if record.name == "socialq.site"] == ["login locked"]


def test_the_admin_has_no_pages_of_axes() -> None:
    assert "axes" not in {model._meta.app_label for model in admin.site._registry}
