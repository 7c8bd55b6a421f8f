"""What a person chose for a post on one platform: from a form's texts to values, and what is wrong with them.

Owns the rules of each kind of option, and the options that the kit itself adds to those of the platforms: what
becomes of pictures whose shape a network refuses. Reads nothing, writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from django.utils.translation import gettext, gettext_noop

from posts.media.plan import FIT_OPTION, has_shape_limit
from posts.publishing.capabilities import TextUnit
from posts.publishing.platform import Platform
from posts.publishing.types import Config, Json, Option
from posts.text.counting import count

QUOTED_CHARACTERS = 60  # of what a person entered, in a message
# What values are that a platform reads; those of all other kinds are texts, or lists of texts.
KINDS: Mapping[str, type] = {"bool": bool, "integer": int}
YES = frozenset({"1", "true", "yes", "on"})
FIT = Option(
    FIT_OPTION,
    gettext_noop("Pictures of another shape"),
    "choice",
    choices=(
        ("refuse", gettext_noop("refuse them")),
        ("crop", gettext_noop("crop them to their middle")),
        ("pad", gettext_noop("put them on white")),
    ),
    default="refuse",
    help=gettext_noop("What becomes of a picture that is too wide or too high for this network."),
)


def offered(platform: Platform, config: Config) -> tuple[Option, ...]:
    """Return what a person may choose for a post on the account with ``config``: the platform's options, then ours."""
    own = platform.options_for(config)
    needs_fit = has_shape_limit(platform.capabilities_for(config).images)
    return (*own, FIT) if needs_fit and all(option.name != FIT.name for option in own) else own


def options_from(given: Mapping[str, Any], options: Iterable[Option]) -> Json:
    """Return the values of ``given`` (texts of a form or a command line, or values) by the options' names.

    What is empty is left out: the option's default then holds. What is of no use stays as it came, for
    ``option_problems`` to name; names that are no option are kept for the same reason.
    """
    known = {option.name: option for option in options}
    values: Json = {}
    for name, raw in given.items():
        value = _value(raw, known[name]) if name in known else raw
        if value not in ("", None, []):
            values[name] = value
    return values


def option_problems(values: Mapping[str, Any], options: Iterable[Option]) -> Iterator[tuple[str, str]]:
    """Yield (option's name, what is wrong in words) for each value that the platform would not take."""
    known = {option.name: option for option in options}
    for name in values:
        if name not in known:
            yield (
                name,
                gettext("there is no option “%(quoted)s”; it has %(known)s")
                % {"quoted": _quoted(name), "known": ", ".join(known) or "none"},
            )
    for name, option in known.items():
        if name in values:
            wrong = _wrong(values[name], option)
            if wrong:
                yield name, f"{option.label.lower()} {wrong}"
        elif option.required and option.default in ("", None):
            yield name, gettext("say “%(option)s” before it can go out") % {"option": option.label.lower()}


def mistyped(values: Mapping[str, Any], options: Iterable[Option]) -> Iterator[tuple[str, str]]:
    """Yield (option's name, what is wrong in words) for each value that is neither text nor what its kind is made of.

    No form sends such a one, and no platform is asked about it.
    """
    for option in options:
        value = values.get(option.name)
        parts = value if isinstance(value, list) and option.kind == "list" else [value]
        if value is not None and not all(isinstance(part, KINDS.get(option.kind, str) | str) for part in parts):
            yield option.name, f"{option.label.lower()} {_wrong(value, option)}"


def chosen_of(values: Mapping[str, Any], options: Iterable[Option]) -> Json:
    """Return those of ``values`` that say something: not what the form sends where nobody touched it."""
    defaults = {option.name: option.default for option in options}
    return {name: value for name, value in values.items() if (value or "") != (defaults.get(name) or "")}


def with_defaults(values: Mapping[str, Any], options: Iterable[Option]) -> Json:
    """Return ``values`` with the defaults of those that were not chosen, where there is one."""
    defaults = {option.name: option.default for option in options if option.default not in ("", None)}
    return {**defaults, **values}


def _value(raw: Any, option: Option) -> Any:
    if not isinstance(raw, str):
        return raw
    text = raw.replace("\r\n", "\n").strip()
    match option.kind:
        case "bool":
            return text.lower() in YES if text else ""
        case "integer":
            return int(text) if text.removeprefix("-").isdecimal() and len(text) < 19 else text
        case "list":
            return [line.strip() for line in text.split("\n") if line.strip()]
    return text


def _wrong(value: Any, option: Option) -> str:
    match option.kind:
        case "choice":
            allowed = [choice for choice, _label in option.choices]
            return (
                ""
                if value in allowed
                else gettext("is “%(quoted)s”; choose one of %(allowed)s")
                % {"quoted": _quoted(value), "allowed": ", ".join(allowed)}
            )
        case "bool":
            return "" if isinstance(value, bool) else gettext("is yes or no")
        case "integer":
            if not isinstance(value, int) or isinstance(value, bool):
                return gettext("is “%(quoted)s”, not a whole number") % {"quoted": _quoted(value)}
            over = option.maximum is not None and value > option.maximum
            return (
                gettext("is %(value)s, the most is %(maximum)s")
                % {"value": f"{value:,}", "maximum": f"{option.maximum:,}"}
                if over
                else ""
            )
        case "list":
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                return gettext("is a list of texts")
            over = option.maximum is not None and len(value) > option.maximum
            return (
                gettext("has %(number)s entries, the most is %(maximum)s")
                % {"number": len(value), "maximum": option.maximum}
                if over
                else ""
            )
        case "moment":
            return "" if _is_moment(value) else gettext("is a time with its offset, like 2030-01-01T09:00+01:00")
    if not isinstance(value, str):
        return gettext("is a text")
    length = count(value, cast("TextUnit", option.unit))
    over = option.maximum is not None and length > option.maximum
    return (
        gettext("has %(length)s characters, the limit is %(maximum)s")
        % {"length": f"{length:,}", "maximum": f"{option.maximum:,}"}
        if over
        else ""
    )


def _quoted(value: Any) -> str:
    return str(value)[:QUOTED_CHARACTERS]


def _is_moment(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False
