from __future__ import annotations

from typing import Any

import pytest

from posts.publishing.types import Json, Option
from posts.services.drafts import save_draft
from posts.services.errors import ValidationFailed
from posts.services.options import chosen_of, option_problems, options_from
from tests.posts.making import account

NUMBER = Option("number", "Number", "integer", maximum=10)
CHOICE = Option("choice", "Choice", "choice", choices=(("a", "A"), ("b", "B")))
LINES = Option("lines", "Lines", "list", maximum=2)
WHEN = Option("when", "When", "moment")
ALL = (NUMBER, CHOICE, LINES, WHEN)


def said(**given: Any) -> dict[str, str]:
    """Return what is wrong with what was entered, by the option's name."""
    return dict(option_problems(options_from(given, ALL), ALL))


@pytest.mark.parametrize("text", ["--5", "-", "1e5", "5.0", "0x10", "9" * 40, "5 5", "½", "²"])
def test_what_is_no_whole_number_is_named_and_breaks_nothing(text: str) -> None:
    assert said(number=text) == {"number": f"number is “{text}”, not a whole number"}


@pytest.mark.parametrize(("text", "value"), [("-5", -5), (" 7 ", 7), ("٣", 3)])
def test_whole_numbers_are_read(text: str, value: int) -> None:
    assert options_from({"number": text}, ALL) == {"number": value}


def test_a_huge_value_is_quoted_in_part() -> None:
    for name in ("number", "choice"):
        assert len(said(**{name: "x" * 1_000_000})[name]) < 200


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]], 5, True, 1.5])
def test_values_of_another_type_are_refused_by_every_kind(value: Any) -> None:
    assert "choice" in said(choice=value)
    assert "lines" in said(lines=value)
    assert "when" in said(when=value)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
@pytest.mark.parametrize("value", [lambda text: text, lambda text: [text], lambda text: {"deep": [text]}])
def test_an_option_that_no_database_stores_is_refused(text: str, value: Any) -> None:
    ada = account()
    with pytest.raises(ValidationFailed, match="characters that cannot be stored"):
        save_draft(
            post=None,
            owner=None,
            text="Hello",
            account_ids=[ada.pk],
            media=[],
            options={ada.pk: {"title": value(text)}},
        )


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ({"lasts": "1", "hidden": False, "reshare": True}, {}),  # what the form sends where nobody touched it
        ({"lasts": "3", "hidden": True}, {"lasts": "3", "hidden": True}),
        ({"reshare": False}, {"reshare": False}),
        ({"visibility": "private"}, {"visibility": "private"}),
        ({"gone": "no longer offered"}, {"gone": "no longer offered"}),
    ],
)
def test_only_what_says_something_counts_as_chosen(values: Json, chosen: Json) -> None:
    offered = (
        Option("visibility", "Visibility", "choice", choices=(("public", "Public"), ("private", "Followers only"))),
        Option("lasts", "It ends after", "choice", choices=(("1", "1 day"), ("3", "3 days")), default="1"),
        Option("hidden", "Hidden", "bool"),
        Option("reshare", "May be shared", "bool", default=True),
    )
    assert chosen_of(values, offered) == chosen
