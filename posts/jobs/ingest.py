"""The jobs of messages that feed posts: taking one in, answering it. What is long settled goes with the daily purge."""

from __future__ import annotations

from posts.models import MessageState, TelegramMessage
from posts.publishing import errors
from posts.services import telegram_intake as intake
from posts.services.errors import Conflict, NoRoom, NotAllowed, Refused, ValidationFailed
from posts.services.standing import sentence_of
from queue_app.context import JobContext
from queue_app.failpoints import failpoint
from queue_app.models import Job
from queue_app.outcomes import Done, Fail, Failure, Outcome, Postpone, Retry
from queue_app.purge import housekeeping
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy

LABEL = "Telegram"
RATE_LIMITED = "rate_limited"


def describe(job: Job) -> str:
    """Name the message of a job to people."""
    message = TelegramMessage.objects.select_related("source").filter(pk=job.args.get("message_id")).first()
    return f"a message to {message.source}" if message is not None else str(job)


@job_type(
    intake.TAKE_IN,
    retry=RetryPolicy.exponential(max_attempts=8, base_seconds=20, cap_seconds=1800),
    timeout_seconds=900,
    describe=describe,
)
def take_in_message(context: JobContext, message_id: int) -> Outcome:
    """Fetch the files of a message or its album, then make its posts by the source's rule."""
    parts = intake.parts_to_take(message_id)
    if not parts:
        return Done("nothing to do")
    try:
        for part in parts:
            intake.fetch_file(part)
        failpoint("after_fetch")
        taken = intake.take_in(parts)
        failpoint("after_take_in")
    except errors.ContentRejected as error:
        return _refused(parts, sentence_of(error, LABEL))
    except (ValidationFailed, NotAllowed) as error:
        return _refused(parts, str(error))
    except errors.PublishError as error:
        return _not_now(context, parts, error)
    except (NoRoom, Conflict, Refused) as error:
        return _again(context, parts, Failure(type(error).__name__, str(error)))
    return Done("taken in" if taken else "left to a later part")


@job_type(
    intake.ANSWER,
    retry=RetryPolicy.exponential(max_attempts=5, base_seconds=10, cap_seconds=600),
    timeout_seconds=180,
    describe=describe,
    internal=True,
)
def answer_message(context: JobContext, message_id: int) -> Outcome:
    """Tell the person in the chat what became of their message. Tried again only where it provably was not sent."""
    message = intake.begin_answer(message_id)
    if message is None:
        return Done("nothing to answer")
    try:
        intake.send_answer(message)
    except errors.Unreachable as error:
        intake.answer_was_not_sent(message)
        return Retry(_failure(error))
    except errors.RateLimited as error:
        intake.answer_was_not_sent(message)
        return Postpone(RATE_LIMITED, until=error.until, failure=_failure(error))
    except errors.PublishError as error:
        return Done(f"not answered: {error.code}")
    except Refused as error:
        return Done(f"not answered: {error}")
    return Done("answered")


def _refused(parts: list[TelegramMessage], reason: str) -> Outcome:
    intake.refuse(parts, reason)
    return Done("refused")


def _not_now(context: JobContext, parts: list[TelegramMessage], error: errors.PublishError) -> Outcome:
    if isinstance(error, errors.RateLimited):
        return Postpone(RATE_LIMITED, until=error.until, failure=_failure(error))
    if isinstance(error, errors.ReconnectNeeded):
        intake.refuse(parts, sentence_of(error, LABEL), state=MessageState.FAILED)
        return Fail(_failure(error))
    delay = error.retry_after_seconds if isinstance(error, errors.Temporary) else None
    return _again(context, parts, _failure(error), delay)


def _again(
    context: JobContext, parts: list[TelegramMessage], failure: Failure, delay_seconds: float | None = None
) -> Outcome:
    """Try again; where that was the last time, the person is told. A retry by hand takes it in all the same."""
    if context.job.attempts >= context.job.max_attempts:
        intake.refuse(parts, failure.message, state=MessageState.FAILED)
    return Retry(failure, delay_seconds=delay_seconds)


def _failure(error: errors.PublishError) -> Failure:
    return Failure(type(error).__name__, sentence_of(error, LABEL), error.code, response_code=error.status_code)


housekeeping(intake.forget_old)
