"""A unique key that is set free at the very moment at which another job asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError

from queue_app import api, transitions
from queue_app.models import Job
from queue_app.states import JobState
from tests.queue_app.jobs import Register, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_key_whose_holder_finished_meanwhile_is_free(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    name = register(lambda context: None)
    holder = api.enqueue(name, unique_key="once")
    real = transitions.add

    def add(job: Job, **options: Any) -> Job:
        try:
            return real(job, **options)
        except IntegrityError as error:
            freed.append(error)
            raise

    freed: list[IntegrityError] = []
    monkeypatch.setattr(transitions, "add", add)
    unfinished = Job.objects.filter

    def look(*args: Any, **options: Any) -> Any:
        if freed and reloaded(holder).state == JobState.PENDING:
            monkeypatch.setattr(Job.objects, "filter", unfinished)
            api.cancel(holder.pk)
        return unfinished(*args, **options)

    monkeypatch.setattr(Job.objects, "filter", look)
    job = api.enqueue(name, unique_key="once")
    assert job.pk != holder.pk
    assert reloaded(job).state == JobState.PENDING
    assert len(freed) == 1
