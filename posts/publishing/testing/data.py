"""Checks of what a platform declares: capabilities, options, fields, windows, words. They need no server."""

from __future__ import annotations

import ast
import inspect
import re
import string
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

from posts.publishing import errors
from posts.publishing.capabilities import Capabilities, TextUnit, VideoLimits
from posts.publishing.testing.base import Steps
from posts.publishing.testing.rules import rule
from posts.publishing.types import Field, Option, OptionKind

NAME = re.compile(r"[a-z][a-z0-9_]*")
MAKERS = {name for name in vars(errors) if name[0].isupper()} | {"unusable", "CannotTell"}
MIME = re.compile(r"[a-z]+/[a-z0-9.+-]+")


class DataChecks(Steps):
    """Consistent data; whole sentences."""

    @rule("data")
    def test_capabilities_are_consistent(self) -> None:
        assert not list(capability_problems(self.platform.capabilities))

    @rule("data")
    def test_options_are_consistent(self) -> None:
        options = self.platform.options
        assert len({option.name for option in options}) == len(options), "two options have one name"
        assert not [problem for option in options for problem in option_problems(option)]

    @rule("data")
    def test_fields_are_consistent(self) -> None:
        for asked in (self.platform.connect_fields, self.platform.app_settings):
            assert len({field.name for field in asked}) == len(asked), "two fields have one name"
            assert not [problem for field in asked for problem in field_problems(field)]

    @rule("data")
    def test_windows_are_consistent(self) -> None:
        for window in self.platform.windows:
            assert window.count > 0
            assert window.seconds > 0
            assert window.scope in ("account", "app")

    @rule("data")
    def test_there_is_a_way_to_connect(self) -> None:
        platform = self.platform
        assert platform.connect_fields or platform.oauth, "neither a form nor a login in the browser"
        if platform.oauth and platform.needs_app:
            assert platform.setup, "nothing says how to get the app's id and secret"

    @rule("words")
    def test_the_platform_has_a_name_and_a_label(self) -> None:
        assert NAME.fullmatch(self.platform.name), self.platform.name
        assert self.platform.label.strip()

    @rule("words")
    def test_the_words_are_whole_sentences_for_codes_of_its_own(self) -> None:
        for code, words in self.platform.words.items():
            assert code.startswith(f"{self.platform.name}."), f"{code} does not begin with the platform's name"
            names = [name for _, name, _, _ in string.Formatter().parse(words.sentence) if name]
            told = words.sentence.format_map(dict.fromkeys(names, "This"))
            assert told[:1].isupper(), f"{code}: {told}"
            assert told.endswith("."), f"{code}: {told}"
            assert words.next_step.endswith("."), f"{code}: {words.next_step}"

    @rule("words")
    def test_every_code_in_the_source_has_words(self) -> None:
        source = inspect.getsourcefile(type(self.platform))
        assert source, "the platform's source cannot be read"
        path = Path(source)
        codes: set[str] = set()
        for each in (path, *sorted(path.parent.glob(f"_{self.platform.name}_*.py"))):
            codes |= codes_in(each.read_text(encoding="utf-8"))
        own = {code for code in codes if code.startswith(f"{self.platform.name}.")}
        assert not own - set(self.platform.words), "codes without words"


def codes_in(source: str) -> set[str]:
    """Return the literals that stand where an error's code does: first in what makes one, or next in a ``partial``."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = 1 if called == "partial" else 0 if called in MAKERS else len(node.args)
            found |= {each.value for each in node.args[place : place + 1] if isinstance(each, ast.Constant)}
    return {code for code in found if isinstance(code, str)}


def capability_problems(capabilities: Capabilities) -> Iterator[str]:
    """Yield what contradicts itself in ``capabilities``."""
    yield from _numbers(capabilities, "capabilities")
    yield from _contradictions(capabilities)
    for video in (capabilities.videos, capabilities.gifs):
        yield from _ranges(video) if video else ()
    for limit in (*capabilities.text, *capabilities.caption, *capabilities.alt_text, *capabilities.comment):
        if limit.unit not in get_args(TextUnit) or limit.maximum < 1:
            yield f"{limit} is no limit"
    for taken in (capabilities.images, capabilities.videos, capabilities.gifs, capabilities.documents):
        for format_ in taken.formats if taken else ():
            if not MIME.fullmatch(format_):
                yield f"{format_} is no media type"


def _contradictions(capabilities: Capabilities) -> Iterator[str]:
    for count, limits, what in (
        (capabilities.max_videos, capabilities.videos, "videos"),
        (capabilities.max_documents, capabilities.documents, "documents"),
    ):
        if bool(count) != (limits is not None):
            yield f"how many {what} are taken, and which, contradict each other"
    if capabilities.alt_text and not capabilities.supports_alt_text:
        yield "there are limits for alternative texts, which are not supported"
    if capabilities.needs_media and not (
        capabilities.max_images or capabilities.max_videos or capabilities.max_documents or capabilities.gifs
    ):
        yield "media is needed, and none is taken"


def _numbers(value: Any, place: str) -> Iterator[str]:
    for field in fields(value):
        number = getattr(value, field.name)
        if is_dataclass(number):
            yield from _numbers(number, f"{place}.{field.name}")
        elif isinstance(number, int | float) and not isinstance(number, bool):
            may_be_none = field.name in ("max_images", "max_videos", "max_gifs", "max_documents", "min_seconds")
            if number < 0 or (number == 0 and not may_be_none):
                yield f"{place}.{field.name} is {number}"


def _ranges(video: VideoLimits) -> Iterator[str]:
    for least, most, what in (
        (video.min_seconds, video.max_seconds, "seconds"),
        (video.min_side_pixels, video.max_side_pixels, "side"),
        (video.min_aspect, video.max_aspect, "aspect"),
    ):
        if least is not None and most is not None and least > most:
            yield f"the least {what} of a video is more than the most"


def option_problems(option: Option) -> Iterator[str]:
    """Yield what contradicts itself in ``option``."""
    values = [value for value, _ in option.choices]
    if not NAME.fullmatch(option.name) or not option.label.strip():
        yield f"{option.name}: an option has a name like a_name, and a label"
    if option.kind not in get_args(OptionKind):
        yield f"{option.name}: {option.kind} is no kind of option"
    if (option.kind == "choice") != bool(values):
        yield f"{option.name}: a choice has choices, and nothing else has"
    if len(set(values)) != len(values) or not all(label.strip() for _, label in option.choices):
        yield f"{option.name}: choices are different, and each has a label"
    if values and option.default not in ("", *values):
        yield f"{option.name}: the default {option.default!r} is none of the choices"
    if option.required and option.default not in ("", None, [], ()):
        yield f"{option.name}: what must be chosen has no default"
    if option.maximum is not None and option.maximum < 1:
        yield f"{option.name}: the maximum is {option.maximum}"


def field_problems(field: Field) -> Iterator[str]:
    """Yield what contradicts itself in ``field``."""
    if not NAME.fullmatch(field.name) or not field.label.strip():
        yield f"{field.name}: a field has a name like a_name, and a label"
    if field.secret and field.default:
        yield f"{field.name}: a secret has no default"
