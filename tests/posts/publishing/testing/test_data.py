"""What the checks of declared data find out; that right data passes is shown by every platform."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posts.publishing.capabilities import Capabilities, DocumentLimits, ImageLimits, TextLimit, VideoLimits
from posts.publishing.testing.data import capability_problems, codes_in, field_problems, option_problems
from posts.publishing.types import Field, Option

RIGHT = Capabilities((TextLimit("utf16", 10),), 1, ImageLimits(1000, 100))
CHOICES = (("a", "A"), ("b", "B"))


@pytest.mark.parametrize(
    "wrong",
    [
        replace(RIGHT, text=(TextLimit("utf16", 0),)),
        replace(RIGHT, text=(TextLimit("words", 5),)),  # type: ignore[arg-type]  # that is the point
        replace(RIGHT, max_images=-1),
        replace(RIGHT, images=ImageLimits(0, 100)),
        replace(RIGHT, images=ImageLimits(1000, 100, formats=("jpeg",))),
        replace(RIGHT, max_videos=1),
        replace(RIGHT, videos=VideoLimits(1000)),
        replace(RIGHT, max_videos=1, videos=VideoLimits(1000, min_seconds=5, max_seconds=3)),
        replace(RIGHT, documents=DocumentLimits(1000)),
        replace(RIGHT, supports_alt_text=False, alt_text=(TextLimit("utf16", 10),)),
        replace(RIGHT, needs_media=True, max_images=0),
    ],
)
def test_contradictions_of_capabilities(wrong: Capabilities) -> None:
    assert not list(capability_problems(RIGHT))
    assert list(capability_problems(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        Option("Not a name", "Label"),
        Option("name", " "),
        Option("name", "Label", "date"),  # type: ignore[arg-type]  # that is the point
        Option("name", "Label", "choice"),
        Option("name", "Label", "text", CHOICES),
        Option("name", "Label", "choice", (*CHOICES, ("a", "Again"))),
        Option("name", "Label", "choice", CHOICES, default="c"),
        Option("name", "Label", "choice", CHOICES, default="a", required=True),
        Option("name", "Label", maximum=0),
    ],
)
def test_contradictions_of_options(wrong: Option) -> None:
    assert list(option_problems(wrong))


def test_contradictions_of_fields() -> None:
    assert not list(field_problems(Field("token", "Token", secret=True)))
    assert list(field_problems(Field("token", "Token", secret=True, default="123")))
    assert list(field_problems(Field("to ken", "Token")))


def test_codes_are_read_from_the_source() -> None:
    source = """
raise ContentRejected("a.text", field="text")
ROWS = {1: partial(Temporary, "a.later")}
error = response.unusable("a.odd")
finding = CannotTell("a.dark")
host = "a.example"
raise NotReady
"""
    assert codes_in(source) == {"a.text", "a.later", "a.odd", "a.dark"}
