"""The emergency stop on the page of pauses: it says what was already being sent, with links."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from queue_app import api, clock, parking, rescue, transitions
from queue_app.context import JobContext
from queue_app.database import atomic, open_transactions
from queue_app.models import Block, BlockKind, Job
from tests.queue_app.jobs import Register, Run

pytestmark = pytest.mark.django_db(transaction=True)

ADD, LIST = reverse("admin:queue_app_block_add"), reverse("admin:queue_app_block_changelist")
STOP = {"key": "all", "reason": "wrong picture", "until": "", "confirmed": "yes"}


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss() -> Client:
    return client_of(User.objects.create_superuser("boss"))


def sending(name: str) -> Job:
    job = api.enqueue(name)
    with atomic():
        transitions.start(job, None, now=clock.now(), lease_seconds=600, holder="tests")
    JobContext(job, "tests").before_irreversible_step()
    return job


def said(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def test_a_stop_names_the_jobs_that_go_on(boss: Client, register: Register) -> None:
    name = register(lambda context: None)
    first, second = sending(name), sending(name)
    answer = boss.post(ADD, STOP, follow=True)
    assert "2 jobs were already being sent and go on: " in said(answer)
    for job in (first, second):
        assert f'<a href="{reverse("admin:queue_app_job_change", args=[job.pk])}">{name} #{job.pk}</a>' in said(answer)
    assert Block.objects.get().actor == "boss"


def test_a_stop_that_came_in_time_says_no_more_than_that(boss: Client, register: Register) -> None:
    api.enqueue(register(lambda context: None))
    assert said(boss.post(ADD, STOP, follow=True)) == "all is paused: nothing of it starts until it is lifted."


def test_a_long_list_is_cut_and_counted(boss: Client, register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queue_app.admin.block.JOBS_NAMED", 1)
    name = register(lambda context: None)
    jobs = [sending(name) for _ in range(3)]
    words = said(boss.post(ADD, STOP, follow=True))
    assert f"#{jobs[0].pk}</a> and 2 more" in words
    assert f"#{jobs[1].pk}<" not in words


def test_who_may_not_see_jobs_gets_their_names_without_links(register: Register) -> None:
    job = sending(register(lambda context: None))
    operator = User.objects.create_user("op", is_staff=True)
    operator.user_permissions.set(Permission.objects.filter(codename__in=["view_block", "add_block"]))
    words = said(client_of(operator).post(ADD, STOP, follow=True))
    assert f"1 job was already being sent and goes on: {job}" in words
    assert "<a" not in words


def test_a_maintenance_block_is_ended_by_its_window_alone(boss: Client) -> None:
    now = clock.now()
    block = Block.objects.create(
        key="all", kind=BlockKind.MAINTENANCE, source="window:1", created_at=now, starts_at=now + timedelta(hours=1)
    )
    data = {"action": "lift", "index": "0", "_selected_action": [block.pk], "confirmed": "1", "warned": ""}
    assert "it ends with its maintenance window" in boss.post(LIST, data).content.decode()
    assert Block.objects.exists()
    shown = f"{block.starts_at:%Y-%m-%d %H:%M}"
    assert shown in boss.get(LIST).content.decode()
    assert shown in boss.get(reverse("admin:queue_app_block_change", args=[block.pk])).content.decode()


def test_a_lift_lets_nothing_go_in_the_pages_transaction(
    boss: Client, register: Register, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "BATCH", 2)
    name = register(lambda context: None)
    for _ in range(5):
        api.enqueue(name)
    boss.post(ADD, STOP)
    assert run() == 0
    let_go_in: list[int] = []
    real = parking.let_go

    def let_go(lot: str) -> list[Job]:
        let_go_in.append(open_transactions())
        return real(lot)

    monkeypatch.setattr(parking, "let_go", let_go)
    data = {
        "action": "lift",
        "index": "0",
        "_selected_action": [Block.objects.get().pk],
        "confirmed": "1",
        "warned": "",
    }
    boss.post(LIST, data)
    assert let_go_in == [1]  # its own
    assert LogEntry.objects.latest("pk").change_message == "Lifted; what waited runs again: all, 5 jobs waited"
    assert Job.objects.filter(parked_by="all").count() == 3
    rescue.rescue()
    assert run() == 5
