"""The three shapes of a handler, made into the one that the runner calls: a function of the context and the arguments.

Owns what the methods of a handler class mean. Knows no job types, and never touches the database.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError

from queue_app.outcomes import Done, Fail, Failure, Outcome, Retry

if TYPE_CHECKING:
    from queue_app.context import JobContext

Handler = Callable[..., Any]

INVALID_INPUT = "invalid_input"
RETURNED_FALSE = "returned_false"


class JobHandler:
    """A handler as a class: one object an execution, so that it may keep what it needs on itself.

    A subclass has ``execute(self, **arguments)``, or ``execute(self, context, **arguments)`` where it wants the
    ``JobContext``; what it returns is what a function would return.
    """

    def validate_input(self, *args: Any, **kwargs: Any) -> bool | None:
        """Refuse arguments, given by name, before anything is done: raise ValueError or ValidationError, or return
        False. The job fails and is not tried again."""

    def handle_error(self, error: Exception) -> Outcome | None:
        """See the exception that ended this execution; return an outcome, or None for the usual one (a retry)."""


def adapt(handler: Any) -> Handler:
    """Return ``handler``, a function or a class of one of the two kinds, as a function of context and arguments.

    A class is made anew for each execution; an object with ``process_job`` serves all of them. Raises ValueError for
    what cannot be called so.
    """
    if inspect.isclass(handler):
        _refuse_needy(handler)
    if callable(getattr(handler, "process_job", None)):
        return _processing(handler if inspect.isclass(handler) else lambda: handler, handler.process_job)
    if inspect.isclass(handler):
        return _executing(handler)
    _refuse(not callable(handler), f"a handler is a function or a class with process_job or execute, not {handler!r}")
    _refuse_async(handler)
    _refuse_unnamed(inspect.signature(handler), of=handler)
    return handler  # type: ignore[no-any-return]  # asked above


def _processing(make: Callable[[], Any], method: Any) -> Handler:
    _refuse_async(method)

    def run(context: JobContext, /, **args: Any) -> Outcome:
        """Hand the job to ``process_job``, whose True means done and whose False means try again."""
        answer = make().process_job(context.job)
        if answer is True:
            return Done()
        if answer is False:
            return Retry(Failure("ReturnedFalse", "process_job returned False", code=RETURNED_FALSE))
        if isinstance(answer, Outcome):
            return answer
        raise TypeError(
            f"process_job answers True (done), False (try again) or an outcome, not {type(answer).__name__}"
        )

    return run


def _executing(kind: Any) -> Handler:
    method: Any = getattr(kind, "execute", None)
    _refuse(not callable(method), f"{kind.__name__} has neither process_job nor execute, so it cannot be a handler")
    for part in (method, getattr(kind, "validate_input", None), getattr(kind, "handle_error", None)):
        _refuse_async(part)
    takes_context, signature = _signature_of(method)

    def run(context: JobContext, /, **args: Any) -> Any:
        one = kind()
        try:
            refusal = _refusal(one, args)
            if refusal is not None:
                return Fail(Failure(type(refusal).__name__, _words(refusal, context), code=INVALID_INPUT))
            return one.execute(context, **args) if takes_context else one.execute(**args)
        except Exception as error:
            see = getattr(one, "handle_error", None)
            answer = see(error) if see is not None else None
            if answer is None:
                raise
            if not isinstance(answer, Outcome):
                raise TypeError(f"handle_error answers an outcome or None, not {type(answer).__name__}") from error
            return answer

    functools.update_wrapper(run, method)
    run.__signature__ = signature  # type: ignore[attr-defined]  # read by inspect.signature
    _refuse_unnamed(signature, of=method)
    return run


def _refusal(one: Any, args: dict[str, Any]) -> Exception | None:
    """Return why ``validate_input`` refuses the arguments, or None. Other exceptions are the execution's."""
    validate = getattr(one, "validate_input", None)
    if validate is None:
        return None
    try:
        accepted = validate(**args)
    except (ValueError, ValidationError) as error:
        return error
    return ValueError("validate_input returned False") if accepted is False else None


def _words(error: Exception, context: JobContext) -> str:
    text = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
    return context.redact((text or type(error).__name__).replace("\0", ""))


def _signature_of(method: Any) -> tuple[bool, inspect.Signature]:
    """Say whether ``execute`` takes the context, and return its signature as a function of context and arguments."""
    signature = inspect.signature(method)
    own = list(signature.parameters.values())[1:]
    takes_context = bool(own) and own[0].name == "context"
    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_ONLY)
    if takes_context:
        own = own[1:]
    return takes_context, signature.replace(parameters=[first, *own])


def _refuse_unnamed(signature: inspect.Signature, *, of: Any) -> None:
    """Raise ValueError unless the context goes in as the first argument and all others go in by name."""
    parameters = list(signature.parameters.values())
    name = getattr(of, "__qualname__", repr(of))
    wrong = not parameters or parameters[0].kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    _refuse(wrong, f"the handler {name} must take the job's context as its first argument")
    for parameter in parameters[1:]:
        wrong = parameter.kind is inspect.Parameter.POSITIONAL_ONLY and _is_required(parameter)
        _refuse(wrong, f"the handler {name} gets its arguments by name; {parameter.name} is positional only")


def _refuse_needy(kind: type[Any]) -> None:
    for parameter in inspect.signature(kind).parameters.values():
        wanted = f"{kind.__name__} is made anew for each execution, without arguments; it wants {parameter.name}"
        _refuse(_is_required(parameter), wanted)


def _refuse_async(function: Any) -> None:
    function = inspect.unwrap(function) if callable(function) else function
    name = getattr(function, "__qualname__", repr(function))
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    _refuse(is_async, f"the handler {name} is async; wrap it in asgiref.sync.async_to_sync")
    _refuse(inspect.isgeneratorfunction(function), f"the handler {name} is a generator: calling it would do nothing")


def _is_required(parameter: inspect.Parameter) -> bool:
    gathers = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and not gathers


def _refuse(wrong: bool, message: str) -> None:
    if wrong:
        raise ValueError(message)
