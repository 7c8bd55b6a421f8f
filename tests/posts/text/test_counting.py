from hypothesis import given
from hypothesis import strategies as st

from posts.publishing.capabilities import TextLimit, TextUnit
from posts.text.counting import count, violations

FAMILY = "👨‍👩‍👧‍👦"
UNITS: tuple[TextUnit, ...] = ("graphemes", "code_points", "utf16", "utf8_bytes")


def test_counts_a_family_emoji_in_each_unit() -> None:
    assert [count(FAMILY, unit) for unit in UNITS] == [1, 7, 11, 25]


def test_counts_a_combining_accent_with_its_letter() -> None:
    assert [count("e\u0301", unit) for unit in UNITS] == [1, 2, 2, 3]


def test_counts_a_flag_and_a_line_end_as_one_grapheme() -> None:
    assert count("🇩🇪", "graphemes") == 1
    assert count("a\r\nb", "graphemes") == 3


def test_counts_the_documented_bluesky_example() -> None:
    text = "Hi 👋 see https://a.example"
    assert [count(text, unit) for unit in UNITS] == [26, 26, 27, 29]


def test_names_every_limit_that_is_broken() -> None:
    limits = (TextLimit("graphemes", 300), TextLimit("utf8_bytes", 3000))
    assert violations("a" * 300, limits) == []
    assert violations("a" * 301, limits) == [("graphemes", 301, 300)]
    assert violations(FAMILY * 200, limits) == [("utf8_bytes", 5000, 3000)]
    assert violations(FAMILY * 301, limits) == [("graphemes", 301, 300), ("utf8_bytes", 7525, 3000)]


@given(st.text())
def test_units_are_ordered_from_coarse_to_fine(text: str) -> None:
    graphemes, code_points, utf16, utf8 = (count(text, unit) for unit in UNITS)
    assert graphemes <= code_points <= utf16 <= utf8


@given(st.text(alphabet=st.characters(categories=["Cs", "L"])))
def test_a_lone_surrogate_is_counted_instead_of_crashing(text: str) -> None:
    assert all(count(text, unit) >= 0 for unit in UNITS)
