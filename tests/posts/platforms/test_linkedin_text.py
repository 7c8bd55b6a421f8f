from __future__ import annotations

import pytest

from posts.platforms._linkedin_text import little_text, plain_text, seen_text
from tests.posts.platforms.fake_linkedin import (
    understood,
)


@pytest.mark.parametrize(
    ("text", "little"),
    [
        ("(a)", r"\(a\)"),
        ("pre_commands", r"pre\_commands"),
        ("a\\b", r"a\\b"),
        ("a*b~c<d>e|f@g[h]i", r"a\*b\~c\<d\>e\|f\@g\[h\]i"),
        ("{{x}}", r"\{\{x\}\}"),
        ("#IA", r"{hashtag|\#|IA}"),
        ("C#", r"C\#"),
        ("texto, 30%!", "texto, 30%!"),
        ("Hi @[Ada](urn:li:person:a-B_1)!", "Hi @[Ada](urn:li:person:a-B_1)!"),
        ("@[A (b)](urn:li:organization:1)", r"@[A \(b\)](urn:li:organization:1)"),
        ("@[Ada](urn:li:share:1)", r"\@\[Ada\]\(urn:li:share:1\)"),
        (r"{hashtag|\#|one_two}", r"{hashtag|\#|one\_two}"),
        ("#snake_case (x)", r"{hashtag|\#|snake\_case} \(x\)"),
        ("https://a.example/x_y?utm_source=z", "https://a.example/x_y?utm_source=z"),
        ("https://a.example/(x)~", r"https://a.example/\(x\)\~"),
        ("@ada.example.com", r"\@ada.example.com"),
    ],
)
def test_little_text(text: str, little: str) -> None:
    assert little_text(text) == little
    assert plain_text(little) == seen_text(text)
    assert understood(little) == seen_text(text)
