"""The async twins: there is one for every function that waits for the database, and each works in an event loop."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from queue_app import api
from queue_app.api import many
from queue_app.models import Job
from tests.queue_app.jobs import Register, and_disconnect

pytestmark = pytest.mark.django_db(transaction=True)

# Its QuerySet is read by ``async for``.
WITHOUT_TWIN = {"dead_letters"}


@pytest.fixture
def name(register: Register) -> str:
    return register(lambda context, **args: args)


def functions() -> dict[str, Any]:
    found = {name: getattr(api, name) for name in api.__all__}
    return {name: value for name, value in found.items() if inspect.isroutine(value)}


def is_async(function: object) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def test_every_function_has_a_twin_and_every_twin_a_function() -> None:
    plain = {name for name, value in functions().items() if not is_async(value)}
    twins = {name for name, value in functions().items() if is_async(value)}
    assert twins == {f"a{name}" for name in plain - WITHOUT_TWIN}


def test_a_twin_has_its_functions_arguments_and_says_whose_twin_it_is() -> None:
    for name, value in functions().items():
        if is_async(value):
            function = getattr(api, name[1:])
            assert inspect.signature(value).parameters == inspect.signature(function).parameters, name
            assert value.__name__ == name
            assert value.__doc__, name


def test_a_module_is_no_name_of_the_api() -> None:
    assert [name for name in api.__all__ if inspect.ismodule(getattr(api, name))] == []
    assert len(api.__all__) == len(set(api.__all__))


def test_the_page_on_the_api_names_everything_but_the_twins() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    told = set(re.findall(r"[A-Za-z_]+", page))
    twins = {name for name, value in functions().items() if is_async(value)}
    assert sorted(set(api.__all__) - twins - told) == []


async def _lifecycle(name: str) -> set[str]:
    """Take a few jobs through their lives by twins alone; return the names of the twins that were awaited."""
    used: set[str] = set()

    def twin(function_name: str) -> Callable[..., Awaitable[Any]]:
        used.add(function_name)
        function: Callable[..., Awaitable[Any]] = getattr(api, function_name)
        return function

    soon = datetime.now(UTC)
    job: Job = await twin("aenqueue")(name, {"a": 1}, run_at=soon)
    assert await twin("aenqueue_many")(name, [api.NewJob()])
    assert (await twin("aget")(job.pk)).pk == job.pk
    assert await twin("aget_status")(job.pk) == "pending"
    assert {job.pk for job in await twin("apending")()} >= {job.pk}
    assert (await twin("aqueue_length")(), await twin("arunning_count")()) == (2, 0)
    await twin("ahold")(job.pk, "wait")
    await twin("arelease")(job.pk)
    await twin("areprioritise")(job.pk, 1)
    await twin("areschedule")(job.pk, soon)

    lease = await twin("adequeue")(types=[name])
    assert lease.job_id == job.pk
    assert await twin("ais_running")(job.pk)
    lease = await twin("aextend")(await twin("alease_of")(job.pk, lease.fence), 60)
    await twin("asave_result")(job.pk, "half")
    assert await twin("aget_result")(job.pk) == "half"
    await twin("afail")(lease, "no", requeue=False)
    assert [job.pk for job in await twin("afailed_jobs")()] == [job.pk]
    assert [job.pk async for job in api.dead_letters()] == [job.pk]
    assert not await twin("amay_have_taken_effect")(job)
    await twin("aretry")(job.pk)
    await twin("acomplete")(await twin("adequeue")(types=[name]), "whole")

    assert await twin("aclear")(actor="ada") == 1
    other = await twin("aenqueue")(name)
    await twin("aset_status")(other.pk, "processing")
    assert await twin("arelease_running")(actor="ada") == 1
    await twin("aset_status")(other.pk, "running")
    await twin("aset_status")(other.pk, "failed", error="no")
    assert await twin("aretry_many")([other.pk]) == many.Many(1, {})
    assert (await twin("aretry_all")()).done == 0
    assert (await twin("adiscard_all")("no")).done == 0
    assert (await twin("adiscard_many")([other.pk], "no")).done == 0
    with pytest.raises(api.IllegalTransition):
        await twin("adiscard")(other.pk)
    await twin("acancel")(other.pk)
    with pytest.raises(api.IllegalTransition):
        await twin("acheck_again")(other.pk)
    with pytest.raises(api.IllegalTransition):
        await twin("acomplete_uncertain")(other.pk, "x", actor="ada")

    held_up = await twin("aenqueue")(name, run_at=soon)
    await twin("apause")("all", reason="moving house")
    assert (await twin("astop_everything")()).running == ()
    assert len(await twin("apaused")()) == 1
    assert (await twin("aexplain")(held_up)) == (await twin("aexplain")(held_up.pk))
    assert (await twin("aexplain")(held_up)).blockers
    assert await twin("aresume")("all") == 0
    assert await twin("aremaining")("platform:x") is None
    await twin("acancel")(held_up.pk)

    assert (await twin("astats")())["total"] == len(await twin("aall_jobs")()) == 4
    assert (await twin("astatistics")())["completed"] == 1
    assert isinstance(await twin("ahealth")(), api.Health)
    assert (await twin("arecover_stale")(), await twin("aclean_up")()) == (0, 0)
    followed = [event["event"] async for event in api.asubscribe(after=0, job_id=job.pk, timeout_seconds=0)]
    assert (followed[0], followed[-1]) == ("job_added", "job_completed")
    return used


def test_each_twin_works_inside_an_event_loop(name: str) -> None:
    used = asyncio.run(and_disconnect(_lifecycle(name)))
    assert used == {f"a{name}" for name, value in functions().items() if not is_async(value)} - {
        "adead_letters",
        "asubscribe",
    }
