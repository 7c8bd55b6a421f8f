"""Table B's handler classes: process_job, and validate_input, execute, handle_error."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ValidationError

from queue_app import api, registry
from queue_app.context import JobContext
from queue_app.handlers import JobHandler
from queue_app.models import Job
from queue_app.outcomes import Done, Outcome, Postpone
from queue_app.registry import job_type
from queue_app.states import JobState
from tests.queue_app.jobs import Register, Run, reloaded

pytestmark = pytest.mark.django_db(transaction=True)


class Resize(JobHandler):
    """Every execution is an object of its own."""

    objects: ClassVar[list[Resize]] = []

    def validate_input(self, width: int) -> None:
        self.objects.append(self)
        if width < 0:
            raise ValueError(f"width {width} is negative")
        if width == 0:
            raise ValidationError(["width is nothing", "use another"])

    def execute(self, width: int) -> dict[str, int]:
        if width > 1000:
            raise OverflowError(f"{width} is too wide")
        return {"width": width}

    def handle_error(self, error: Exception) -> Outcome | None:
        return Done("as wide as it goes") if "2000" in str(error) else None


def outcome_of(register: Register, run: Run, handler: Any, **args: Any) -> Job:
    name = register(handler, name=f"tests.{len(registry.known())}")
    job = api.enqueue(name, args)
    run()
    return reloaded(job)


@pytest.fixture(autouse=True)
def _none_before() -> None:
    Resize.objects.clear()


def test_a_class_is_decorated_like_a_function_and_stays_itself() -> None:
    decorated = job_type("tests.resize", limits="20/d")(Resize)
    try:
        assert decorated is Resize
        assert list(inspect.signature(registry.get("tests.resize").handler).parameters) == ["context", "width"]
        job_type("tests.resize")(Resize)
    finally:
        registry.unregister("tests.resize")


def test_execute_does_the_work_on_an_object_made_for_it(register: Register, run: Run) -> None:
    assert outcome_of(register, run, Resize, width=5).result == {"width": 5}
    assert outcome_of(register, run, Resize, width=6).result == {"width": 6}
    first, second = Resize.objects
    assert first is not second


@pytest.mark.parametrize(("width", "message"), [(-1, "width -1 is negative"), (0, "width is nothing; use another")])
def test_input_that_validate_input_refuses_fails_and_is_not_tried_again(
    register: Register, run: Run, width: int, message: str
) -> None:
    job = outcome_of(register, run, Resize, width=width)
    assert (job.state, job.reason, job.last_error, job.attempts) == (JobState.FAILED, "invalid_input", message, 1)


def test_validate_input_may_answer_false(register: Register, run: Run) -> None:
    class Picky:
        def validate_input(self) -> bool:
            return False

        def execute(self) -> None:
            raise AssertionError

    assert outcome_of(register, run, Picky).last_error == "validate_input returned False"


def test_an_error_of_execute_is_retried_unless_handle_error_says_otherwise(register: Register, run: Run) -> None:
    retried = outcome_of(register, run, Resize, width=1500)
    assert (retried.state, retried.reason, retried.last_error) == (JobState.PENDING, "retry", "1500 is too wide")
    handled = outcome_of(register, run, Resize, width=2000)
    assert (handled.state, handled.result) == (JobState.COMPLETED, "as wide as it goes")


def test_a_value_error_of_execute_is_no_refused_input(register: Register, run: Run) -> None:
    class Breaks(JobHandler):
        def execute(self) -> None:
            raise ValueError("later")

    assert outcome_of(register, run, Breaks).reason == "retry"


def test_handle_error_answers_an_outcome_or_none(register: Register, run: Run) -> None:
    class Confused(JobHandler):
        def execute(self) -> None:
            raise ValueError("later")

        def handle_error(self, error: Exception) -> Any:
            return "ignore it"

    job = outcome_of(register, run, Confused)
    assert (job.reason, job.last_error) == ("retry", "handle_error answers an outcome or None, not str")


def test_execute_gets_the_context_where_it_asks_for_it(register: Register, run: Run) -> None:
    class Sends(JobHandler):
        def execute(self, context: JobContext, to: str) -> str:
            context.before_irreversible_step()
            raise TimeoutError(to)

        def handle_error(self, error: Exception) -> Outcome | None:
            return Postpone("later")

    # After the mark nobody knows, whatever handle_error makes of it.
    assert outcome_of(register, run, Sends, to="ada").state == JobState.UNCERTAIN


def test_leaving_by_the_mark_is_no_error_for_handle_error(register: Register, run: Run) -> None:
    class Sends(JobHandler):
        def execute(self, context: JobContext) -> None:
            api.cancel(context.job.pk)
            context.before_irreversible_step()

        def handle_error(self, error: Exception) -> Outcome | None:
            raise AssertionError

    job = outcome_of(register, run, Sends)
    assert (job.state, job.attempt_set.get().late_answer) == (JobState.CANCELLED, "Fenced")


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (True, JobState.COMPLETED, ""),
        (False, JobState.PENDING, "retry"),
        (None, JobState.PENDING, "retry"),
        (Postpone("not_yet"), JobState.PENDING, "not_yet"),
    ],
)
@pytest.mark.parametrize("as_object", [True, False])
def test_process_job_answers_true_for_done_and_false_for_again(
    register: Register, run: Run, answer: Any, state: str, reason: str, as_object: bool
) -> None:
    class Transcripts:
        def process_job(self, job: Job) -> Any:
            assert job.args == {"video": 7}
            return answer

    job = outcome_of(register, run, Transcripts() if as_object else Transcripts, video=7)
    assert (job.state, job.reason) == (state, reason)
    if answer is None:
        assert job.last_error == "process_job answers True (done), False (try again) or an outcome, not NoneType"


def test_a_class_that_is_no_handler_is_refused(register: Register) -> None:
    class Neither: ...

    class Needs:
        def __init__(self, client: object) -> None: ...

        def process_job(self, job: Job) -> bool:
            return True

    class Async:
        async def execute(self) -> None: ...

    with pytest.raises(ValueError, match="Neither has neither process_job nor execute"):
        register(Neither)
    with pytest.raises(ValueError, match="Needs is made anew for each execution, without arguments; it wants client"):
        register(Needs)
    with pytest.raises(ValueError, match="is async"):
        register(Async)


def test_arguments_are_checked_against_execute(register: Register) -> None:
    name = register(Resize)
    with pytest.raises(api.InvalidArguments, match=r"tests.job expects width: int; got unexpected 'hight', no 'width'"):
        api.enqueue(name, {"hight": 7})
