from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from posts.models import Delivery, Post, PostStatus, Recurrence
from posts.services.accounts import disable_account, enable_account
from posts.services.errors import NotAllowed, Refused, ValidationFailed
from posts.services.posts import cancel_post, delete_post, reschedule_post, schedule_post
from posts.services.recurrence import make_occurrences, repeat_post
from posts.services.series import (
    cancel_future,
    change_future,
    delete_future,
    end_recurrence,
    extend_recurrence,
)
from queue_app.models import Job, Notice
from tests.posts.calendar_clock import set_to
from tests.posts.making import account, draft, edit, picture, sent, user

pytestmark = pytest.mark.django_db

FRIDAY = datetime(2026, 11, 27, 12, tzinfo=UTC)
WEEKLY = "FREQ=WEEKLY;BYDAY=FR"


@pytest.fixture(autouse=True)
def frozen(db: None) -> Any:
    with set_to(FRIDAY) as clock:
        yield clock


def series(rule: str = WEEKLY, wall: str = "2026-11-27T14:05:00", **options: Any) -> Recurrence:
    """Schedule a post at a wall time in Berlin, let it repeat, and make its posts."""
    ends_on = options.pop("ends_on", None)
    accounts = options.pop("accounts", None) or [account()]
    post = draft(*accounts, **options)
    from posts.planning.occurrences import instant_of

    schedule_post(post, at=instant_of(datetime.fromisoformat(wall), "Europe/Berlin"), timezone="Europe/Berlin")
    recurrence = repeat_post(post, rule=rule, ends_on=ends_on)
    make_occurrences(recurrence.pk)
    recurrence.refresh_from_db()
    return recurrence


def days(recurrence: Recurrence, **filters: Any) -> list[str]:
    found = recurrence.posts.filter(**filters).order_by("occurrence")
    return [value[5:10] for value in found.values_list("occurrence", flat=True)]


def nth(recurrence: Recurrence, place: int) -> Post:
    return recurrence.posts.order_by("occurrence")[place]


def test_makes_posts_ahead_with_everything_that_the_first_has() -> None:
    ada, bob = account("Ada"), account("Bob")
    found = series(
        accounts=[ada, bob], media=[picture()], tags=["news"], own_texts={bob.pk: "For Bob"}, first_comment="more",
        priority=3, expires_at=FRIDAY + timedelta(hours=5), owner=user(),
    )  # fmt: skip
    assert days(found) == ["11-27", "12-04", "12-11", "12-18", "12-25", "01-01", "01-08", "01-15", "01-22"]
    second = nth(found, 1)
    assert second.status == PostStatus.SCHEDULED
    assert second.wall_time == second.occurrence == "2026-12-04T14:05:00"
    assert second.scheduled_at == datetime(2026, 12, 4, 13, 5, tzinfo=UTC)
    assert second.expires_at == datetime(2026, 12, 4, 17, tzinfo=UTC)
    assert (second.first_comment, second.priority, second.owner) == ("more", 3, found.owner)
    assert list(second.tags.values_list("name", flat=True)) == ["news"]
    assert second.media.count() == 1
    assert dict(second.deliveries.values_list("account__name", "text_override")) == {"Ada": None, "Bob": "For Bob"}
    assert Job.objects.filter(type="posts.publish", state="pending").count() == 18


def test_making_again_makes_nothing_and_a_later_day_one_more(frozen: Any) -> None:
    found = series()
    assert make_occurrences(found.pk) == 0
    frozen.shift(timedelta(days=7))
    assert make_occurrences(found.pk) == 1


def test_once_one_is_out_the_next_is_made_however_far_away_it_is(frozen: Any) -> None:
    found = series("FREQ=YEARLY")
    assert days(found) == ["11-27"]
    frozen.shift(timedelta(days=1))
    assert make_occurrences(found.pk) == 1
    assert [value[:10] for value in found.posts.values_list("occurrence", flat=True)] == ["2026-11-27", "2027-11-27"]


def test_ends_with_its_last_day() -> None:
    found = series(ends_on=date(2026, 12, 11))
    assert days(found) == ["11-27", "12-04", "12-11"]


def test_the_wall_time_is_kept_over_the_change_of_the_clocks_and_moved_out_of_a_gap(frozen: Any) -> None:
    frozen.move_to(datetime(2027, 3, 26, 12, tzinfo=UTC))
    found = series("FREQ=DAILY", "2027-03-27T02:30:00", ends_on=date(2027, 3, 29))
    times = list(found.posts.order_by("occurrence").values_list("occurrence", "wall_time"))
    assert times == [
        ("2027-03-27T02:30:00", "2027-03-27T02:30:00"),
        ("2027-03-28T02:30:00", "2027-03-28T03:30:00"),
        ("2027-03-29T02:30:00", "2027-03-29T02:30:00"),
    ]


def test_what_was_due_while_nothing_ran_is_not_sent_late_and_somebody_is_told(frozen: Any) -> None:
    found = series("FREQ=DAILY", ends_on=date(2027, 12, 31))
    frozen.shift(timedelta(days=70))
    make_occurrences(found.pk)
    assert not found.posts.filter(occurrence__gte="2027-01-27", occurrence__lt="2027-02-05T13").exists()
    assert "nothing ran before it was due" in Notice.objects.get(kind="repeating_post").text


def test_what_cannot_be_scheduled_is_a_draft_with_its_reason_and_somebody_is_told(frozen: Any) -> None:
    ada = account("Ada")
    found = series(accounts=[ada])
    disable_account(ada)
    frozen.shift(timedelta(days=7))
    assert make_occurrences(found.pk) == 1
    last = nth(found, 9)
    assert last.status == PostStatus.DRAFT
    assert "is disabled" in Delivery.objects.get(post=last).error_message
    assert "stays a draft" in Notice.objects.get(kind="repeating_post", cleared_at=None).text
    enable_account(ada)
    change_future(nth(found, 8), rule=found.rule, ends_on=None)
    last.refresh_from_db()
    assert last.status == PostStatus.SCHEDULED
    assert Delivery.objects.get(post=last).error_message == ""
    assert not Notice.objects.filter(kind="repeating_post", cleared_at=None).exists()


def test_a_deleted_post_does_not_come_back(frozen: Any) -> None:
    found = series()
    delete_post(nth(found, 3))
    frozen.shift(timedelta(days=7))
    make_occurrences(found.pk)
    assert "12-18" not in days(found)


def test_a_deleted_post_does_not_come_back_when_the_end_moves_nearer_and_away_again() -> None:
    found = series()
    made = days(found)
    delete_post(nth(found, 3))
    for ends_on in (date(2026, 12, 5), None, date(2026, 12, 5), None):
        extend_recurrence(found, ends_on)
        make_occurrences(found.pk)
    assert days(found) == [day for day in made if day != "12-18"]


def test_a_series_without_posts_ends() -> None:
    found = series("FREQ=YEARLY")
    for post in found.posts.all():
        delete_post(post)
    assert make_occurrences(found.pk) == 0
    found.refresh_from_db()
    assert found.ended_at is not None


def test_copies_what_nobody_changed_alone(frozen: Any) -> None:
    found = series()
    chief = user("chief", sees_all=True)
    edit(nth(found, 8), text="only this one", actor=chief)
    frozen.shift(timedelta(days=7))
    make_occurrences(found.pk)
    assert nth(found, 9).text == "Hello"


@pytest.mark.parametrize("how", ["edit", "move", "cancel", "site"])
def test_what_a_person_does_to_one_lets_it_go_its_own_way(how: str) -> None:
    found, chief = series(), user("chief", sees_all=True)
    post = nth(found, 2)
    if how == "edit":
        edit(post, text="other", actor=chief)
    elif how == "move":
        reschedule_post(post, at=FRIDAY + timedelta(days=15), actor=chief)
    elif how == "cancel":
        cancel_post(post, actor=chief)
    else:
        edit(post, text="other")
    post.refresh_from_db()
    assert post.is_exception is (how != "site")


def test_changing_all_changes_the_later_ones_and_keeps_those_changed_alone() -> None:
    found, chief = series(), user("chief", sees_all=True)
    alone = edit(nth(found, 4), text="alone", actor=chief)
    third = edit(nth(found, 2), text="new", actor=chief)
    report = change_future(third, rule=found.rule, ends_on=None, actor=chief)
    assert (report.changed, report.kept) == (5, [alone])
    texts = list(found.posts.order_by("occurrence").values_list("text", flat=True))
    assert texts == ["Hello", "Hello", "new", "new", "alone", "new", "new", "new", "new"]
    assert days(found, is_exception=True) == ["12-25"]
    assert found.posts.filter(status=PostStatus.SCHEDULED).count() == 9


def test_a_new_time_makes_the_later_ones_anew_but_none_that_was_deleted_or_changed_alone() -> None:
    found, chief = series(), user("chief", sees_all=True)
    delete_post(nth(found, 5))
    alone = reschedule_post(nth(found, 4), at=FRIDAY + timedelta(days=27), actor=chief)
    second = nth(found, 1)
    at = datetime(2026, 12, 4, 8, tzinfo=UTC)
    reschedule_post(second, at=at, timezone="Europe/Berlin", actor=chief)
    report = change_future(second, rule=found.rule, ends_on=None, wall_time="2026-12-04T09:00:00", actor=chief)
    assert (report.changed, report.kept) == (5, [alone])
    found.refresh_from_db()
    assert found.first_wall_time == "2026-12-04T09:00:00"
    times = list(found.posts.order_by("occurrence").values_list("occurrence", flat=True))
    assert times == [
        "2026-11-27T14:05:00", "2026-12-04T09:00:00", "2026-12-11T09:00:00", "2026-12-18T09:00:00",
        "2026-12-25T14:05:00", "2027-01-08T09:00:00", "2027-01-15T09:00:00", "2027-01-22T09:00:00",
    ]  # fmt: skip
    assert Job.objects.filter(type="posts.publish", state="pending").count() == 8


def test_moved_before_earlier_ones_the_series_goes_out_on_none_of_their_days_twice() -> None:
    found, chief = series("FREQ=DAILY"), user("chief", sees_all=True)
    delete_post(nth(found, 3))
    fifth = nth(found, 4)
    assert fifth.occurrence == "2026-12-02T14:05:00"
    at = datetime(2026, 11, 28, 15, tzinfo=UTC)
    reschedule_post(fifth, at=at, timezone="Europe/Berlin", actor=chief)
    change_future(fifth, rule="FREQ=DAILY", ends_on=None, wall_time="2026-11-28T16:00:00", actor=chief)
    assert days(found)[:8] == ["11-27", "11-28", "11-28", "11-29", "12-01", "12-02", "12-03", "12-04"]


def test_another_rule_must_have_a_turn_at_the_post_itself() -> None:
    found = series()
    with pytest.raises(ValidationFailed, match="is no day of the rule"):
        change_future(nth(found, 1), rule="FREQ=WEEKLY;BYDAY=MO", ends_on=None)
    report = change_future(nth(found, 1), rule="FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", ends_on=None)
    assert report.changed == 3
    assert days(found) == ["11-27", "12-04", "12-18", "01-01", "01-15"]


def test_changing_to_never_ends_it_after_this_one() -> None:
    found = series()
    report = change_future(nth(found, 1), rule="", ends_on=None)
    found.refresh_from_db()
    assert report.changed == 7
    assert found.ended_at is not None
    assert days(found, status=PostStatus.SCHEDULED) == ["11-27", "12-04"]
    assert make_occurrences(found.pk) == 0


def test_an_end_can_be_moved_in_and_out_again() -> None:
    found, chief = series(), user("chief", sees_all=True)
    alone = edit(nth(found, 4), text="alone", actor=chief)
    report = extend_recurrence(found, date(2026, 12, 11), actor=chief)
    assert (report.changed, report.kept) == (5, [alone])
    assert days(found) == ["11-27", "12-04", "12-11", "12-25"]
    extend_recurrence(found, date(2027, 1, 8), actor=chief)
    make_occurrences(found.pk)
    assert days(found) == ["11-27", "12-04", "12-11", "12-18", "12-25", "01-01", "01-08"]
    with pytest.raises(ValidationFailed):
        extend_recurrence(found, date(2026, 1, 1))


def test_ending_cancels_what_is_not_sent_and_keeps_what_was_changed_alone() -> None:
    found, chief = series(), user("chief", sees_all=True)
    edit(nth(found, 4), text="alone", actor=chief)
    report = end_recurrence(found, actor=chief)
    assert (report.changed, days(found, status=PostStatus.SCHEDULED)) == (8, ["12-25"])
    assert [post.text for post in report.kept] == ["alone"]
    assert end_recurrence(found, with_exceptions=True, actor=chief).changed == 1
    with pytest.raises(Refused, match="has ended"):
        extend_recurrence(found, None)


def test_cancelling_or_deleting_all_future_ends_the_series() -> None:
    found, chief = series(), user("chief", sees_all=True)
    assert cancel_future(nth(found, 5), actor=chief).changed == 4
    assert days(found, status=PostStatus.SCHEDULED) == ["11-27", "12-04", "12-11", "12-18", "12-25"]
    other = series(accounts=[account("Bob")])
    assert delete_future(nth(other, 1), actor=chief).changed == 8
    assert days(other) == ["11-27"]
    for ended in (found, other):
        ended.refresh_from_db()
        assert ended.ended_at is not None
        assert make_occurrences(ended.pk) == 0


def test_who_may_not_changes_nothing() -> None:
    found = series(owner=(owner := user("owner")))
    other = user("other")
    for action in (
        lambda: end_recurrence(found, actor=other),
        lambda: extend_recurrence(found, None, actor=other),
        lambda: cancel_future(nth(found, 1), actor=other),
        lambda: delete_future(nth(found, 1), actor=other),
        lambda: change_future(nth(found, 1), rule="", ends_on=None, actor=other),
        lambda: end_recurrence(found, actor=user("writer", may=("add_post",), sees_all=True)),
    ):
        with pytest.raises(NotAllowed):
            action()
    assert days(found, status=PostStatus.SCHEDULED) == days(found)
    assert found.owner == owner


def test_only_a_scheduled_post_repeats_and_only_once() -> None:
    with pytest.raises(Refused, match="is not scheduled"):
        repeat_post(draft(account()), rule=WEEKLY)
    found = series()
    with pytest.raises(Refused, match="repeats already"):
        repeat_post(nth(found, 0), rule=WEEKLY)
    post = schedule_post(draft(account()), at=FRIDAY + timedelta(hours=1), timezone="UTC")
    for rule, ends_on in [("FREQ=HOURLY", None), (WEEKLY, date(2026, 1, 1)), ("FREQ=MONTHLY;BYMONTHDAY=3", None)]:
        with pytest.raises(ValidationFailed):
            repeat_post(post, rule=rule, ends_on=ends_on)
    assert Recurrence.objects.count() == 1


def test_what_is_sent_is_not_touched_by_a_change_to_all() -> None:
    found = series()
    live = sent(account("Zoe"))
    Post.objects.filter(pk=live.pk).update(recurrence=found, occurrence="2026-12-05T14:05:00")
    change_future(edit(nth(found, 0), text="new"), rule=found.rule, ends_on=None)
    live.refresh_from_db()
    assert live.text == "Hello"
