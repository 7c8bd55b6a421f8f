from __future__ import annotations

import pytest

from posts.publishing.types import Json, Option
from posts.services.options import chosen_of

OFFERED = (
    Option("visibility", "Visibility", "choice", choices=(("public", "Public"), ("private", "Followers only"))),
    Option("lasts", "It ends after", "choice", choices=(("1", "1 day"), ("3", "3 days")), default="1"),
    Option("hidden", "Hidden", "bool"),
    Option("reshare", "May be shared", "bool", default=True),
)


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ({"lasts": "1", "hidden": False, "reshare": True}, {}),  # what the form sends where nobody touched it
        ({"lasts": "3", "hidden": True}, {"lasts": "3", "hidden": True}),
        ({"reshare": False}, {"reshare": False}),
        ({"visibility": "private"}, {"visibility": "private"}),
        ({"gone": "a choice that is no longer offered"}, {"gone": "a choice that is no longer offered"}),
    ],
)
def test_only_what_says_something_counts_as_chosen(values: Json, chosen: Json) -> None:
    assert chosen_of(values, OFFERED) == chosen
