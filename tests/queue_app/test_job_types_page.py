"""docs/job-types.md is true: its code runs, and its table has every option."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_app import api, registry
from queue_app.models import Job
from queue_app.outcomes import Outcome
from queue_app.states import JobState
from tests.queue_app.jobs import Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = (Path(__file__).parents[2] / "docs" / "job-types.md").read_text()


@pytest.fixture
def _page() -> Iterator[None]:
    """Run the page's code, in its order."""
    before = set(registry.known())
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, {"__name__": __name__})  # noqa: S102 -- our own page
    yield
    for name in set(registry.known()) - before:
        registry.unregister(name)


@pytest.mark.usefixtures("_page")
def test_the_pages_jobs_run(run: Run) -> None:
    others = [
        api.enqueue("pictures.resize", {"file": "a.jpg", "width": 7}),
        api.enqueue("videos.transcript", {"video": 1}),
        api.enqueue("letters.post", {"to": "ada"}, target_id=3, queue="default"),
    ]
    while run():
        pass
    assert {reloaded(job).state for job in others} == {JobState.COMPLETED}
    assert Job.objects.filter(type="reports.mail", state=JobState.COMPLETED).count() == 101
    assert reloaded(others[2]).unique_key == "letter:3"


@pytest.mark.usefixtures("_page")
def test_the_pages_error_is_the_one_that_is_raised() -> None:
    with pytest.raises(api.InvalidArguments) as caught:
        api.enqueue("reports.mail", {"report": 7})
    assert f"    {caught.value}\n" in PAGE


def test_the_page_names_every_option_and_every_outcome() -> None:
    options = [name for name in inspect.signature(registry.job_type).parameters if name != "name"]
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == options
    assert [kind.__name__ for kind in Outcome.__args__ if f"`{kind.__name__}(" not in PAGE] == []
