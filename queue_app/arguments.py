"""Whether arguments can be stored and fit their handler, asked before a job is written. Pure; knows no job states.

Arguments are JSON. Dates, times, durations, Decimals and UUIDs may be given too, as ``DjangoJSONEncoder`` writes them:
the handler gets text. What PostgreSQL's jsonb refuses (NUL, lone surrogates) is refused for every database.
"""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.functional import Promise

if TYPE_CHECKING:
    from queue_app.registry import JobType

MAX_ARGS_BYTES = 256 * 1024
MAX_DEPTH = 50
SHOWN_CHARACTERS = 60
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
# What the encoder writes as text.
TEXTUAL = (str, datetime, date, time, timedelta, Decimal, UUID, Promise)
CONTAINERS = (dict, list, tuple)

Accepts = Callable[[Any], bool]

encode = DjangoJSONEncoder(allow_nan=False).encode


class InvalidArguments(ValueError):
    """Arguments cannot be stored or do not fit their handler. ``problems`` says what, in words."""

    def __init__(self, job_type: str, problems: Sequence[str], expects: str = "") -> None:
        wanted = f" expects {expects};" if expects else ":"
        super().__init__(f"{job_type}{wanted} got {', '.join(problems)}")
        self.job_type = job_type
        self.problems = tuple(problems)


class Checked(dict[str, Any]):
    """Arguments found to be fine, with the JSON that says so: whoever stores them need not write it again."""

    __slots__ = ("text",)

    def __init__(self, args: Mapping[str, Any], text: str) -> None:
        super().__init__(args)
        self.text = text


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a handler; ``accepts`` is None where its annotation is none that can be checked."""

    shown: str
    required: bool
    accepts: Accepts | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a handler takes by name. ``others`` says that it takes more than it names, but never ``context``."""

    parameters: Mapping[str, Parameter]
    others: bool
    context: str

    def __str__(self) -> str:
        shown = [parameter.shown for parameter in self.parameters.values()] + ["others"] * self.others
        return ", ".join(shown) or "no arguments"

    def problems(self, args: Mapping[str, Any]) -> Iterator[str]:
        """Yield in words what does not fit; never a value, which may be secret."""
        parameters = self.parameters
        for name, value in args.items():
            parameter = parameters.get(name)
            if parameter is None:
                if not self.others or name == self.context:
                    yield f"unexpected {_cut(name)}"
            elif parameter.accepts is not None and not parameter.accepts(value):
                yield f"another {type(value).__name__} for {name}"
        for name, parameter in parameters.items():
            if parameter.required and name not in args:
                yield f"no {name!r}"


def check(job_type: JobType, args: Mapping[str, Any]) -> Checked:
    """Return a copy of ``args``; raise InvalidArguments unless they are JSON that fits the type's handler.

    At most MAX_ARGS_BYTES.
    """
    expected = _expected(job_type.handler)
    if not isinstance(args, dict):
        raise InvalidArguments(job_type.name, [f"a {type(args).__name__} instead of a dict"], str(expected))
    text = check_json(job_type.name, "", args)
    problems = list(expected.problems(args))
    if problems:
        raise InvalidArguments(job_type.name, problems, str(expected))
    return Checked(args, text)


def check_json(job_type: str, what: str, value: Any) -> str:
    """Return ``value`` as JSON text; raise InvalidArguments unless every database stores it. ``what`` names it."""
    try:
        problems = list(_unstorable(value, what, 0))
        text = "" if problems else encode(value)
    except (TypeError, ValueError) as error:  # a time with a zone, a lazy text that fails
        problems = [f"what is no JSON: {error}"]
    else:
        if not problems and len(text) <= MAX_ARGS_BYTES:
            return text
        too_long = f"{len(text)} bytes of JSON (at most {MAX_ARGS_BYTES}): store large data and pass its id"
        problems = problems or [too_long]
    raise InvalidArguments(job_type, problems[:10])


def storable(text: str) -> bool:
    """Say whether every database stores this text: neither NUL nor a lone surrogate is in it."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _unstorable(value: Any, path: str, depth: int) -> Iterator[str]:
    """Yield what in ``value`` is no JSON, or JSON that a database refuses, with where it is."""
    where = f" at {path}" if path else ""
    if not isinstance(value, CONTAINERS):
        if problem := _scalar_problem(value):
            yield f"{problem}{where}"
        return
    if depth == MAX_DEPTH:
        yield f"more than {MAX_DEPTH} levels{where[:SHOWN_CHARACTERS]}"
        return
    named = isinstance(value, dict)
    pairs: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        if named and not (isinstance(key, str) and storable(key)):
            yield f"the key {_cut(key)}{where}, which is no plain text"
        # Most arguments are flat: no generator is made for a plain value.
        elif isinstance(item, CONTAINERS) or _scalar_problem(item):
            yield from _unstorable(item, _place(path, key), depth + 1)


def _place(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key[:SHOWN_CHARACTERS]}" if path else key


def _scalar_problem(value: Any) -> str:
    if isinstance(value, str):
        return "" if storable(value) else "text with NUL or a lone surrogate"
    if isinstance(value, int):
        return "" if SMALLEST_INTEGER <= value <= LARGEST_INTEGER else "an integer beyond 64 bit"
    if isinstance(value, float):
        return "" if math.isfinite(value) else str(value)
    if isinstance(value, Promise):
        return _scalar_problem(str(value))
    return "" if value is None or isinstance(value, TEXTUAL) else f"a {type(value).__name__}, which is no JSON,"


@lru_cache(maxsize=1024)
def _expected(handler: Callable[..., Any]) -> Expected:
    """Return what ``handler`` takes after its context."""
    first, *rest = inspect.signature(handler).parameters.values()
    names_globals = getattr(inspect.unwrap(handler), "__globals__", {})
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found: dict[str, Parameter] = {}
    for parameter in rest:
        if parameter.kind in by_name:
            annotation = _resolved(parameter.annotation, names_globals)
            required = parameter.default is inspect.Parameter.empty
            typed = "" if annotation is Any else f": {_shown(annotation)}"
            shown = f"{parameter.name}{typed}" if required else f"{parameter.name}{typed} (optional)"
            found[parameter.name] = Parameter(shown, required, _acceptor(annotation))
    others = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in rest)
    return Expected(found, others, first.name if first.kind in by_name else "")


def _resolved(annotation: Any, names_globals: dict[str, Any]) -> Any:
    """Return an annotation as an object; Any where there is none or its names are not to be had here."""
    if annotation is inspect.Parameter.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, globalns=names_globals)["it"]
    except (NameError, TypeError, SyntaxError, AttributeError):
        return Any


def _shown(annotation: Any) -> str:
    if annotation is type(None):
        return "None"
    plain = isinstance(annotation, type) and typing.get_origin(annotation) is None
    return annotation.__name__ if plain else str(annotation).replace("typing.", "")


def _acceptor(annotation: Any) -> Accepts | None:
    """Return what tells whether a value is of a simple type, or None for an annotation that is none."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        options = [_acceptor(option) for option in typing.get_args(annotation)]
        checkable = [option for option in options if option is not None]
        if len(checkable) < len(options):
            return None
        return lambda value: any(accepts(value) for accepts in checkable)
    if origin is typing.Literal:
        literals = typing.get_args(annotation)
        return lambda value: any(type(value) is type(one) and value == one for one in literals)
    return _ACCEPTORS.get(origin or annotation) if isinstance(origin or annotation, type) else None


# True is no int, but an int is a float, as for type checkers. What the encoder writes as text arrives as str.
_ACCEPTORS: Mapping[type, Accepts] = {
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, int) and not isinstance(value, bool),
    float: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    str: lambda value: isinstance(value, TEXTUAL),
    list: lambda value: isinstance(value, list | tuple),
    dict: lambda value: isinstance(value, dict),
    type(None): lambda value: value is None,
}


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
