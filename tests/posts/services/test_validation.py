"""What keeps a post from being published, in words that name account, field, count and limit."""

from __future__ import annotations

from typing import Any

import pytest

from posts.models import Account, Media, Post
from posts.services.validation import problems_of
from queue_app import clock
from tests.posts.making import account, delivery, draft, edit, picture, sent

pytestmark = pytest.mark.django_db


def said(post: Post) -> list[str]:
    return [problem.message for problem in problems_of(post)]


def test_nothing_is_wrong_with_a_post_that_fits() -> None:
    post = draft(account(platform="bluesky"), account(platform="telegram"), media=[picture()], text="x" * 300)
    assert problems_of(post) == []


def test_a_text_is_counted_as_each_platform_counts() -> None:
    family = "👨‍👩‍👧‍👦"
    ada, bob = account("Ada", platform="bluesky"), account("Bob", platform="telegram")
    assert said(draft(ada, text=family * 119)) == []
    post = draft(ada, bob, text="x" * 312)
    (problem,) = problems_of(post)
    assert problem.message == "Ada on Bluesky: text has 312 characters, the limit is 300"
    assert (problem.field, problem.account) == ("text", ada)
    assert said(draft(ada, text=family * 121)) == ["Ada on Bluesky: text has 3,025 bytes, the limit is 3,000"]
    assert said(draft(bob, text="😀" * 2049)) == [
        "Bob on Telegram: text has 4,098 characters (an emoji counts as two), the limit is 4,096"
    ]


def test_an_accounts_own_text_counts_instead_of_the_posts() -> None:
    ada, bob = account("Ada", platform="bluesky"), account("Bob", platform="bluesky")
    post = draft(ada, bob, text="x" * 301, own_texts={ada.pk: "short"})
    assert said(post) == ["Bob on Bluesky: text has 301 characters, the limit is 300"]


def test_a_caption_has_its_own_limit() -> None:
    post = draft(account("Bob", platform="telegram"), text="x" * 1025, media=[picture()])
    assert said(post) == ["Bob on Telegram: text has 1,025 characters (an emoji counts as two), the limit is 1,024"]


def test_too_many_pictures_name_the_limit() -> None:
    post = draft(account("Ada", platform="bluesky"), media=[picture() for _ in range(11)])
    (problem,) = problems_of(post)
    assert (problem.field, problem.message) == ("media", "Ada on Bluesky: the post has 11 pictures, the limit is 10")


def test_a_picture_of_an_impossible_shape_is_named() -> None:
    post = draft(
        account("Bob", platform="telegram"), media=[picture("ok.jpg"), picture("strip.jpg", width=2100, height=100)]
    )
    (message,) = said(post)
    assert message == (
        "Bob on Telegram: picture 2 (“strip.jpg”) does not fit: The picture has 2,100 by 100 pixels: its longer side "
        "is 21.0 times the shorter, at most 20 times is allowed. Crop it, or choose that it is cropped or "
        "put on white"
    )


def test_an_alt_text_is_counted_where_the_platform_has_them() -> None:
    ada, bob, cat = account("Ada"), account("Bob", platform="telegram"), picture(alt_text="x" * 2001)
    (problem,) = problems_of(draft(ada, bob, media=[cat]))
    assert problem.message == (
        "Ada on Outbox: the alt text of picture 1 (“cat.jpg”) has 2,001 characters, the limit is 2,000"
    )
    assert problem.field == "alt_text"
    post = draft(ada)
    assert said(edit(post, media=[(cat.pk, "short")])) == []


def test_a_picture_whose_file_is_gone_must_be_attached_again() -> None:
    cat = picture()
    post = draft(account(), media=[cat])
    Media.objects.update(file_deleted_at=clock.now())
    assert said(post) == ["The file of picture 1 (“cat.jpg”) is no longer stored; attach it again"]


def test_a_post_needs_something_to_say_and_somewhere_to_say_it() -> None:
    assert said(draft(account("Ada"), text=" \n")) == [
        "Ada on Outbox: the post is empty; write a text or attach a picture"
    ]
    assert said(draft(account(), text="", media=[picture()])) == []
    post = draft()
    assert said(post) == ["The post has no account to go out on; choose at least one"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"enabled": False}, "Ada on Outbox is disabled; enable the account or take it off the post"),
        ({"reconnect_reason": "reconnect_needed"}, "Ada on Outbox must be reconnected first, or taken off the post"),
        (
            {"platform": "myspace"},
            "Ada on myspace: this site does not know the platform myspace; take the account off the post",
        ),
    ],
)
def test_an_account_that_cannot_be_posted_to_is_named(fields: dict[str, Any], message: str) -> None:
    ada = account("Ada")
    Account.objects.filter(pk=ada.pk).update(**fields)
    (problem,) = problems_of(draft(Account.objects.get()))
    assert (problem.field, problem.message, problem.account) == ("accounts", message, ada)


def test_a_platform_that_the_site_has_not_enabled_is_named(settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["bluesky"]}
    assert said(draft(account("Ada"))) == [
        "Ada on Outbox: the platform outbox is not enabled; add it to SOCIALQ_ENABLED_PLATFORMS"
    ]


def test_what_is_live_is_not_judged_any_more() -> None:
    post = sent(account("Ada"))
    assert delivery(post).status == "published"
    assert said(post) == ["The post has no account to go out on; choose at least one"]


def test_a_variable_that_is_unknown_is_named_in_the_first_comment_too() -> None:
    ada = account("Ada", platform="bluesky", variables={"shop": "https://shop.example"})
    assert said(draft(ada, first_comment="See {shop}")) == []
    assert said(draft(ada, first_comment="See {store}")) == [
        "Ada on Bluesky: the first comment has {store}, which is no variable of the account; set it or write a value"
    ]
