"""Makes what handlers answer fit the tables, so that both databases keep the same of it.

Words are cut to their columns and cleaned of what PostgreSQL's text cannot hold. What cannot be meant, a cool-down
under a key that is none or a time without a zone, is a handler's bug and raises ValueError.
"""

from __future__ import annotations

from dataclasses import replace

from queue_app import given
from queue_app.arguments import storable
from queue_app.context import StopExecution
from queue_app.models import Attempt, Job
from queue_app.outcomes import BlockRequest, Done, Failure, Hold, Outcome, Postpone
from queue_app.pauses import check_key

CODE_CHARACTERS = int(Job._meta.get_field("reason").max_length or 0)
CLASS_CHARACTERS = int(Attempt._meta.get_field("error_class").max_length or 0)
LARGEST_RESPONSE_CODE = 32_767


def fitted(outcome: Outcome | StopExecution) -> Outcome | StopExecution:
    """Return the outcome as it can be stored. Raises ValueError."""
    match outcome:
        case Done() | StopExecution():
            return outcome
        case Hold():
            return Hold(code(outcome.reason))
        case Postpone():
            return replace(
                outcome,
                reason=code(outcome.reason),
                until=outcome.until and given.moment("until", outcome.until),
                block=outcome.block and _block(outcome.block),
                failure=outcome.failure and _failure(outcome.failure),
            )
        case _:
            return replace(outcome, failure=_failure(outcome.failure))


def code(word: str) -> str:
    """Return a reason, or the code of an error, as jobs, attempts and events keep it."""
    return _text(word)[:CODE_CHARACTERS]


def _failure(failure: Failure) -> Failure:
    status = failure.response_code
    return Failure(
        error_class=_text(failure.error_class)[:CLASS_CHARACTERS],
        message=_text(failure.message),
        code=code(failure.code),
        traceback=_text(failure.traceback),
        response_code=status if isinstance(status, int) and 0 <= status <= LARGEST_RESPONSE_CODE else None,
    )


def _block(request: BlockRequest) -> BlockRequest:
    until = request.until and given.moment("until", request.until)
    return replace(request, key=check_key(request.key), reason=_text(request.reason), until=until)


def _text(word: object) -> str:
    text = str(word)
    return text if storable(text) else text.replace("\0", "").encode(errors="replace").decode()
