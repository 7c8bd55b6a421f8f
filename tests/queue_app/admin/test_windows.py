"""The pages of maintenance windows: what a form takes, what it refuses, and that blocks follow at once."""

from __future__ import annotations

import html
import re
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from queue_app import api, clock, parking, rescue
from queue_app.models import Block, Job, MaintenanceWindow
from tests.queue_app.jobs import Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

ADD = reverse("admin:queue_app_maintenancewindow_add")
LIST = reverse("admin:queue_app_maintenancewindow_changelist")
ALL_DAYS = [str(day) for day in range(7)]
ALL_DAY = {"name": "Backup", "key": "all", "weekdays": ALL_DAYS, "starts": "00:00", "duration_minutes": "1439"}
FORM: dict[str, Any] = ALL_DAY | {"timezone": "UTC", "enabled": "on"}


def page(window: MaintenanceWindow, view: str = "change") -> str:
    return reverse(f"admin:queue_app_maintenancewindow_{view}", args=[window.pk])


def text_of(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def all_day(**fields: Any) -> dict[str, Any]:
    """Return a form whose window holds now: all day, in a zone where it is not about midnight."""
    zone = next(name for name in ("UTC", "Asia/Tokyo") if clock.now().astimezone(ZoneInfo(name)).hour not in (0, 23))
    return FORM | {"timezone": zone} | fields


def test_a_window_is_added_and_holds_at_once(boss: Client, register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: None))
    answer = boss.post(ADD, all_day(), follow=True)
    window = MaintenanceWindow.objects.get()
    assert (window.name, window.weekdays, window.starts, window.duration_minutes) == (
        "Backup", list(range(7)), time(0), 1439,
    )  # fmt: skip
    assert "Next Backup: now, until" in text_of(answer)
    assert Block.objects.get().reason == "Backup"
    assert run() == 0
    assert reloaded(job).parked_by == "all"
    assert "Backup" in boss.get(reverse("admin:queue_app_job_change", args=[job.pk])).content.decode()


def test_a_change_and_a_deletion_are_felt_at_once(boss: Client, register: Register, run: Run) -> None:
    job = api.enqueue(register(lambda context: None))
    boss.post(ADD, all_day())
    assert run() == 0
    window = MaintenanceWindow.objects.get()
    boss.post(page(window), all_day(key="account:7"))
    assert Block.objects.get().key == "account:7"
    assert run() == 1
    assert reloaded(job).state == "completed"
    assert "Are you sure" in boss.get(page(window, "delete")).content.decode()
    boss.post(page(window, "delete"), {"post": "yes"})
    assert not Block.objects.exists()
    assert [entry.action_flag for entry in LogEntry.objects.order_by("pk")] == [1, 2, 3]


def test_what_waited_for_a_deleted_window_is_not_let_go_in_the_pages_transaction(
    boss: Client, register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "BATCH", 2)
    name = register(lambda context: None)
    for _ in range(5):
        api.enqueue(name)
    boss.post(ADD, all_day())
    assert run() == 0
    boss.post(page(MaintenanceWindow.objects.get(), "delete"), {"post": "yes"})
    assert Job.objects.filter(parked_by="all").count() == 3
    rescue.rescue()
    assert run() == 5


def test_a_disabled_window_places_nothing(boss: Client) -> None:
    boss.post(ADD, {name: value for name, value in FORM.items() if name != "enabled"})
    assert MaintenanceWindow.objects.exists()
    assert not Block.objects.exists()
    assert "not while it is disabled" in text_of(boss.get(LIST))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"weekdays": []}, "This field is required."),
        ({"weekdays": ["7"]}, "Select a valid choice"),
        ({"key": "everything"}, "A key is “all”"),
        ({"starts": "25:00"}, "Enter a valid time."),
        ({"duration_minutes": "0"}, "greater than or equal to 1"),
        ({"duration_minutes": "10080"}, "less than or equal to 10079"),
        ({"duration_minutes": "1440"}, "It must end before it starts again: give 1 to 1439 minutes."),
        ({"timezone": "Europe/Atlantis"}, "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(boss: Client, fields: dict[str, Any], words: str) -> None:
    answer = boss.post(ADD, FORM | fields)
    assert words in text_of(answer)
    assert set(answer.context["adminform"].form.errors) == set(fields)
    assert not MaintenanceWindow.objects.exists()


def test_a_name_is_given_once(boss: Client) -> None:
    boss.post(ADD, FORM)
    assert "already exists" in text_of(boss.post(ADD, FORM))
    assert MaintenanceWindow.objects.count() == 1


def test_the_form_shows_what_is_stored_and_keeps_a_zone_that_names_no_place(boss: Client) -> None:
    window = MaintenanceWindow.objects.create(
        name="Backup", weekdays=[0, 5], starts=time(2, 30), duration_minutes=60, timezone="Etc/GMT+1"
    )
    text = boss.get(page(window)).content.decode()
    checked = re.findall(r'name="weekdays" value="(\d)"[^>]*checked', text)
    assert checked == ["0", "5"]
    assert 'value="02:30"' in text
    assert '<option value="Etc/GMT+1" selected>' in text
    boss.post(page(window), FORM | {"timezone": "Etc/GMT+1"})
    window.refresh_from_db()
    assert (window.timezone, window.weekdays) == ("Etc/GMT+1", list(range(7)))


def test_the_list_says_when_it_is_next_by_the_windows_own_clock(boss: Client) -> None:
    begin = (clock.now() + timedelta(hours=30)).astimezone(ZoneInfo("Asia/Tokyo"))
    MaintenanceWindow.objects.create(
        name="Backup", weekdays=[begin.weekday()], starts=begin.time(), duration_minutes=90, timezone="Asia/Tokyo"
    )
    text = text_of(boss.get(LIST))
    assert f"{begin:%a}" in text
    assert "1 h 30 min" in text
    until: datetime = begin + timedelta(minutes=90)
    assert f"{begin:%Y-%m-%d %H:%M} Asia/Tokyo , until {until:%Y-%m-%d %H:%M} Asia/Tokyo" in text


def test_a_window_that_cannot_be_read_is_shown_with_the_reason(boss: Client) -> None:
    window = MaintenanceWindow.objects.create(
        name="Backup", weekdays=[0], starts=time(2), duration_minutes=60, timezone="Moon/Tranquility"
    )
    assert "“Moon/Tranquility” is not a time zone" in text_of(boss.get(LIST))
    assert boss.get(page(window)).status_code == 200


def test_who_may_look_sees_the_weekdays_by_name_and_changes_nothing(boss: Client) -> None:
    boss.post(ADD, FORM)
    window = MaintenanceWindow.objects.get()
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_maintenancewindow"))
    client = Client()
    client.force_login(viewer)
    assert "Mon, Tue, Wed, Thu, Fri, Sat, Sun" in text_of(client.get(page(window)))
    for url in (ADD, page(window), page(window, "delete")):
        assert client.post(url, FORM | {"name": "Mine", "post": "yes"}).status_code == 403
    assert MaintenanceWindow.objects.get().name == "Backup"
