"""What the composer asks before it saves: the same text twice, two people at one post; and the tags that it keeps."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client

from posts.models import Media, Post, PostStatus
from queue_app import clock
from tests.posts.admin.pages import PUBLISHER, browser, edit_form, form, page, person
from tests.posts.making import account, delivery, draft, edit, picture

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/admin/posts/post/add/"


@pytest.fixture
def grace() -> Client:
    return browser(person("grace", PUBLISHER))


def me() -> User:
    return User.objects.get(username="grace")


def local(**ahead: float) -> str:
    moment = (clock.now() + timedelta(**ahead)).astimezone(ZoneInfo("Europe/Berlin"))
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def test_the_same_text_within_a_day_is_asked_about_and_then_taken(grace: Client) -> None:
    ada = account("Ada")
    grace.post(ADD, form(ada, button="_schedule", text="Fresh bread", goes_out=local(hours=2)))
    fields = form(ada, button="_schedule", text="fresh bread", goes_out=local(hours=9))
    asked = grace.post(ADD, fields).content.decode()
    assert "Ada is to publish the same text:" in asked
    assert 'name="_schedule_surely"' in asked
    assert Post.objects.count() == 1
    del fields["_schedule"]
    assert grace.post(ADD, {**fields, "_schedule_surely": "yes"}).status_code == 302
    assert list(Post.objects.values_list("status", flat=True)) == [PostStatus.SCHEDULED] * 2


def test_another_day_or_another_account_is_not_asked_about(grace: Client) -> None:
    ada, bob = account("Ada"), account("Bob")
    grace.post(ADD, form(ada, button="_schedule", text="Fresh bread", goes_out=local(hours=2)))
    for other, hours in ((ada, 27), (bob, 2)):
        fields = form(other, button="_schedule", text="Fresh bread", goes_out=local(hours=hours))
        assert grace.post(ADD, fields).status_code == 302


def test_what_is_wrong_is_said_before_the_question(grace: Client) -> None:
    ada = account("Ada", "bluesky")
    grace.post(ADD, form(ada, button="_schedule", text="Fresh bread", goes_out=local(hours=2)))
    post = Post.objects.get()
    Post.objects.filter(pk=post.pk).update(text="x" * 400)
    text = grace.post(ADD, form(ada, button="_schedule", text="x" * 400, goes_out=local(hours=3))).content.decode()
    assert "_schedule_surely" not in text
    assert "400 characters, the limit is 300" in text


def test_a_draft_with_the_same_text_is_not_asked_about(grace: Client) -> None:
    ada = account("Ada")
    grace.post(ADD, form(ada, button="_schedule", text="Fresh bread", goes_out=local(hours=2)))
    assert grace.post(ADD, form(ada, text="Fresh bread")).status_code == 302


def test_an_edit_of_a_scheduled_post_is_asked_about_and_publishing_says_so_in_its_question(grace: Client) -> None:
    ada = account("Ada")
    for text in ("Fresh bread", "Cake"):
        grace.post(ADD, form(ada, button="_schedule", text=text, goes_out=local(hours=2)))
    cake = Post.objects.get(text="Cake")
    asked = grace.post(page(cake), edit_form(grace, cake, ada, text="Fresh bread", goes_out=local(hours=2)))
    assert 'name="_save_surely"' in asked.content.decode()
    published = grace.post(ADD, form(ada, button="_publish", text="Fresh bread")).content.decode()
    assert "the same text" in published
    assert 'name="_publish_surely"' in published


def test_a_conflict_shows_what_the_other_changed_and_pressing_again_keeps_mine(grace: Client) -> None:
    ada, bob = account("Ada"), account("Bob")
    post = draft(ada, owner=me(), text="First")
    mine = edit_form(grace, post, ada, text="Mine", tags="mine")
    tab_two = edit_form(grace, post, ada, bob, text="Theirs", **{f"own_{bob.pk}": "For Bob"})
    assert grace.post(page(post), tab_two).status_code == 302
    text = grace.post(page(post), mine).content.decode()
    assert "saved while you were writing" in text
    assert "grace saved it last" in text
    differences = text[text.index("sq-differences") :].partition("</table>")[0]
    for said in ("Theirs", "Mine", "Ada, Bob", "Own text for Bob", "For Bob"):
        assert said in differences
    post.refresh_from_db()
    assert post.text == "Theirs"
    assert grace.post(page(post), mine | {"version": post.version}).status_code == 302
    post.refresh_from_db()
    assert post.text == "Mine"
    assert f'value="{post.version - 1}"' in text


def test_the_other_is_taken_and_what_was_typed_can_be_copied(grace: Client) -> None:
    ada = account("Ada")
    post = draft(ada, owner=me(), text="First")
    mine = edit_form(grace, post, ada, text="Mine & <only>", first_comment="My comment")
    edit(post, text="Theirs")
    fields = {name: value for name, value in mine.items() if name != "_save"}
    text = grace.post(page(post), {**fields, "_take": "yes"}).content.decode()
    assert "What you had typed" in text
    assert "Mine &amp; &lt;only&gt;</textarea>" in text
    assert "My comment</textarea>" in text
    assert 'data-gave-way="yes"' in text
    assert "Theirs</textarea>" in text
    post.refresh_from_db()
    assert post.text == "Theirs"
    assert f'name="version" value="{post.version}"' in text


def test_tags_are_kept_shown_again_and_taken_off(grace: Client) -> None:
    ada = account("Ada")
    grace.post(ADD, form(ada, tags="Bread, #Morning , bread"))
    post = Post.objects.get()
    assert list(post.tags.values_list("name", flat=True)) == ["bread", "morning"]
    text = grace.get(page(post)).content.decode()
    assert 'value="bread, morning"' in text
    assert '<option value="bread">' in text
    grace.post(page(post), edit_form(grace, post, ada, tags="bread"))
    assert list(post.tags.values_list("name", flat=True)) == ["bread"]
    answer = grace.post(page(post), edit_form(grace, post, ada, tags="x" * 51)).content.decode()
    assert "the most is 50" in answer


def test_an_address_may_bring_files_along(grace: Client) -> None:
    mine, theirs = picture("mine.jpg", owner=me(), alt_text="Bread"), picture("theirs.jpg", owner=person("other"))
    text = grace.get(f"{ADD}?media={theirs.pk},{mine.pk},{mine.pk},x,{'9' * 40}").content.decode()
    assert "mine.jpg" in text
    assert "theirs.jpg" not in text
    assert "Bread</textarea>" in text
    assert Media.objects.count() == 2


def test_enter_in_a_field_saves_and_never_publishes(grace: Client) -> None:
    text = grace.post(ADD, form(account("Ada"), button="_publish")).content.decode()
    first = text.index('type="submit"', text.index('id="composer"'))
    assert text[first : first + 40].startswith('type="submit" name="_save"')


def test_the_page_says_which_form_it_was_written_by(grace: Client) -> None:
    ada = account("Ada")
    fields = form(ada)
    grace.post(ADD, fields)
    post = Post.objects.get()
    assert f'<meta name="sq-taken" content="{fields["token"]}">' in grace.get(page(post)).content.decode()
    assert delivery(post).account == ada
    changed = edit_form(grace, post, ada)
    grace.post(page(post), changed)
    both = f"{fields['token']} {changed['token']}"
    assert f'<meta name="sq-taken" content="{both}">' in grace.get(page(post)).content.decode()


def test_a_new_form_says_which_ones_of_the_person_were_taken(grace: Client) -> None:
    theirs = draft(owner=person("other"))
    Post.objects.filter(pk=theirs.pk).update(form_token=uuid4())
    tokens = []
    for _form in range(2):
        fields = form(account("Ada"))
        grace.post(ADD, fields)
        tokens.insert(0, fields["token"])
    assert f'<meta name="sq-taken" content="{tokens[0]} {tokens[1]}">' in grace.get(ADD).content.decode()
