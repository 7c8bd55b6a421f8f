from __future__ import annotations

import pytest

from posts.text.counting import count
from posts.text.threads import split_thread

SENTENCE = "Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod. "


@pytest.mark.parametrize("text", ["", " \n", "---", "---\n\n---\n"])
@pytest.mark.parametrize("numbered", [False, True])
def test_nothing_said_is_one_empty_part_for_files_alone(text: str, numbered: bool) -> None:
    assert split_thread(text, lambda part: len(part) < 10, numbered=numbered) == [""]


def test_parts_end_at_the_best_place_and_lose_nothing() -> None:
    text = f"One two three. Four five six.\n\n{'x' * 45} seven"
    parts = split_thread(text, lambda part: len(part) <= 30)
    assert parts == ["One two three. Four five six.", "x" * 30, f"{'x' * 15} seven"]


def test_a_character_of_many_code_points_is_never_torn() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    parts = split_thread(family * 700, lambda part: count(part, "graphemes") <= 300)
    assert [count(part, "graphemes") for part in parts] == [300, 300, 100]
    endless = "e" + "\u0301" * 5000
    assert split_thread(f"{endless} and more", lambda part: len(part) <= 20) == [endless, "and more"]


@pytest.mark.parametrize("numbered", [False, True])
def test_a_very_long_text_is_counted_a_few_times_and_not_once_for_each_part(numbered: bool) -> None:
    text, counted = SENTENCE * 1500, 0

    def fits(part: str) -> bool:
        nonlocal counted
        counted += len(part)
        return len(part) <= 300

    parts = split_thread(text, fits, numbered=numbered)
    assert len(parts) > 350
    assert counted < 40 * len(text)


def test_a_long_text_that_fits_is_one_part() -> None:
    assert split_thread(SENTENCE * 1500, lambda part: True) == [(SENTENCE * 1500).strip()]
