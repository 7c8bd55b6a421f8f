from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from posts.admin.post_actions import Delete
from posts.models import Post, PostStatus
from posts.services.posts import schedule_post
from queue_app import clock
from tests.posts.admin.pages import PUBLISHER, act, browser, list_of, messages_of, page, person
from tests.posts.making import REJECTED, account, draft, sent, unsettled

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> Client:
    return browser(person("boss", is_superuser=True))


def scheduled(text: str, minutes: int = 60) -> Post:
    return schedule_post(draft(account(text), text=text), at=clock.now() + timedelta(minutes=minutes))


def history() -> list[tuple[str, str]]:
    return list(LogEntry.objects.order_by("pk").values_list("object_repr", "change_message"))


def test_asks_with_counts_and_names_what_is_skipped_and_why(boss: Client) -> None:
    good, good_too = draft(account("Ada"), text="good"), draft(account("Eve"), text="good too")
    out, long = sent(account("Bob"), text="already out"), draft(account("Cy", "bluesky"), text="x" * 301)
    text = act(boss, "schedule", good, good_too, out, long, sure=False).content.decode()
    assert "Schedule: 2 posts" in text
    assert "these 2" in text
    assert "Skipped: 2" in text
    assert "it is published already" in text
    assert "Cy on Bluesky: text has 301 characters, the limit is 300" in text
    assert Post.objects.filter(status=PostStatus.SCHEDULED).count() == 0


def test_schedules_after_the_question_and_writes_the_history(boss: Client) -> None:
    posts = [draft(account(name), text=name) for name in ("one", "two")]
    answer = act(boss, "schedule", *posts, at="2027-05-01T10:00", timezone="Europe/Berlin")
    assert messages_of(answer) == "2 posts scheduled."
    assert {f"{post.scheduled_at:%H:%M}" for post in Post.objects.all()} == {"08:00"}
    assert [line for _, line in history()] == ["Scheduled: 2027-05-01T10:00 Europe/Berlin"] * 2


def test_a_time_that_does_not_exist_is_asked_again(boss: Client) -> None:
    answer = act(boss, "schedule", draft(account("Ada")), at="2027-03-28T02:30", timezone="Europe/Berlin")
    assert "does not exist in Europe/Berlin" in answer.content.decode()
    assert Post.objects.get().status == PostStatus.DRAFT


def test_all_matching_goes_beyond_one_page(boss: Client) -> None:
    ada = account("Ada")
    posts = [draft(ada, text=f"post {n}") for n in range(60)]
    text = act(boss, "delete", posts[0], sure=False, select_across="1").content.decode()
    assert "Delete: 60 posts" in text
    assert "and 40 more" in text
    act(boss, "delete", posts[0], select_across="1")
    assert not Post.objects.exists()


def test_a_filter_of_the_list_bounds_all_matching(boss: Client) -> None:
    ada = account("Ada")
    draft(ada, text="stays")
    draft(account("Bob"), text="goes")
    url = f"{list_of(Post)}?account={account('Eve').pk}"
    data = {"action": "delete", "index": "0", "_selected_action": [0], "select_across": "1"}
    data |= {"confirmed": "9", "warned": str(Delete.warning)}
    boss.post(url, data)
    assert Post.objects.count() == 2
    boss.post(f"{list_of(Post)}?account={Post.objects.get(text='goes').deliveries.get().account_id}", data)
    assert [post.text for post in Post.objects.all()] == ["stays"]


def test_nothing_selected_explains_itself(boss: Client) -> None:
    draft(account("Ada"))
    answer = boss.post(list_of(Post), {"action": "cancel", "index": "0"}, follow=True)
    assert "Nothing is selected, so nothing was done." in answer.content.decode()


def test_publishes_now_what_was_scheduled(boss: Client) -> None:
    post = scheduled("later")
    act(boss, "publish_now", post)
    post.refresh_from_db()
    assert post.scheduled_at is not None
    assert post.scheduled_at <= clock.now()


def test_spaces_posts_in_the_order_of_their_times(boss: Client) -> None:
    late, early, new = scheduled("late", 90), scheduled("early", 30), draft(account("new"), text="new")
    answer = act(
        boss, "reschedule_with_spacing", late, early, new, at="2027-05-01T10:00", timezone="UTC", interval_minutes="15"
    )
    assert messages_of(answer) == "3 posts rescheduled."
    times = {post.text: f"{post.scheduled_at:%H:%M}" for post in Post.objects.all()}
    assert times == {"early": "10:00", "late": "10:15", "new": "10:30"}
    assert len(history()) == 3


def test_spacing_is_all_or_none(boss: Client) -> None:
    one, two = scheduled("one"), scheduled("two")
    before = set(Post.objects.values_list("scheduled_at", flat=True))
    answer = act(boss, "reschedule_with_spacing", one, two, at="2020-05-01T10:00", timezone="UTC", interval_minutes="1")
    assert "in the past" in messages_of(answer)
    assert set(Post.objects.values_list("scheduled_at", flat=True)) == before
    assert not history()


def test_retries_what_failed(boss: Client) -> None:
    post = sent(account("Ada"), outcome=REJECTED)
    act(boss, "retry", post)
    post.refresh_from_db()
    assert post.status == PostStatus.SCHEDULED


def test_retries_what_may_be_live_only_when_told(boss: Client) -> None:
    post = unsettled(account("Ada"))
    assert "could publish twice" in act(boss, "retry", post, sure=False).content.decode()
    assert "may already be live" in messages_of(act(boss, "retry", post))
    post.refresh_from_db()
    assert post.status == PostStatus.NEEDS_REVIEW
    act(boss, "retry", post, even_if_uncertain="on")
    post.refresh_from_db()
    assert post.status == PostStatus.SCHEDULED


def test_cancels_what_waits(boss: Client) -> None:
    post = scheduled("later")
    answer = act(boss, "cancel", post, draft(account("Bob")))
    post.refresh_from_db()
    assert post.status == PostStatus.CANCELLED
    assert "1 post cancelled." in messages_of(answer)
    assert "1 skipped" in messages_of(answer)


def test_deletes_after_cancelling_and_keeps_the_name_in_the_history(boss: Client) -> None:
    post = scheduled("to go")
    answer = act(boss, "delete", post, next=page(post))
    assert not Post.objects.exists()
    assert history() == [("to go", "Deleted.")]
    assert answer["Location"] == list_of(Post)


def test_what_may_be_live_is_not_deleted(boss: Client) -> None:
    post = unsettled(account("Ada"))
    assert "Skipped: 1" in act(boss, "delete", post).content.decode()
    assert Post.objects.exists()


def test_goes_back_only_within_the_site(boss: Client) -> None:
    post = scheduled("later")
    assert act(boss, "cancel", post, next=page(post))["Location"] == page(post)
    other = scheduled("another")
    assert act(boss, "cancel", other, next="https://evil.example/")["Location"] == list_of(Post)


@pytest.mark.parametrize(
    "query", ["status__exact=failed", "platform=outbox", "account=1", "account=x'%20OR%201", "q=' OR 1"]
)
def test_filters_live_in_the_url(boss: Client, query: str) -> None:
    draft(account("Ada"))
    assert boss.get(f"{list_of(Post)}?{query}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "owner__password__startswith=p",
        "text__regex=(a%2B)%2B$",
        "deliveries__account__sealed_credentials__startswith=g",
    ],
)
def test_unlisted_look_ups_are_refused(boss: Client, query: str) -> None:
    draft(account("Ada"))
    assert boss.get(f"{list_of(Post)}?{query}").status_code == 400


def test_an_empty_list_says_what_to_do_next(boss: Client) -> None:
    assert "Press “Add post”" in boss.get(list_of(Post)).content.decode()
    draft(account("Ada"))
    assert "Clear filters" in boss.get(f"{list_of(Post)}?q=nothing-like-it").content.decode()


def test_a_publisher_sees_time_state_and_account_in_the_list() -> None:
    user = person("grace", PUBLISHER)
    post = schedule_post(
        draft(account("Ada"), owner=user), at=clock.now() + timedelta(hours=1), timezone="Asia/Kathmandu"
    )
    text = browser(user).get(list_of(Post)).content.decode()
    assert "Scheduled" in text
    assert re.search(r">Ada</span>\s*<span[^>]*>Outbox</span>", text)
    assert "Asia/Kathmandu" in text
    assert str(post) in text


@pytest.mark.parametrize(
    "query",
    [
        "account=%C2%B2",
        f"account={'9' * 30}",
        f"account={'9' * 5000}",
        "status__exact=nonsense",
        "scheduled_at__gte=9999-12-31+23:59:59-14:00",
        f"q={'a+' * 2000}",
        "p=99999999",
        "o=9.-9.x",
    ],
)
def test_nonsense_in_the_url_is_no_error(boss: Client, query: str) -> None:
    draft(account("Ada"))
    assert boss.get(f"{list_of(Post)}?{query}", follow=True).status_code == 200


@pytest.mark.parametrize("key", ["abc", "\u00b2", "9" * 30, "", "\0"])
def test_a_selected_row_that_cannot_be_is_refused(boss: Client, key: str) -> None:
    draft(account("Ada"))
    data = {"action": "cancel", "index": "0", "_selected_action": key}
    assert boss.post(list_of(Post), data).status_code == 400


def test_a_count_that_is_none_asks_again(boss: Client) -> None:
    post = scheduled("later")
    for count in ("\u00b2", "9" * 5000, "-1", "yes", ""):
        data = {"action": "cancel", "index": "0", "_selected_action": post.pk, "confirmed": count, "warned": ""}
        assert "Cancel: 1 post" in boss.post(list_of(Post), data).content.decode()
