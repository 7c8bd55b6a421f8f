"""Several processes at one series at the same time, on real connections."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from posts.models import Post
from posts.services.posts import schedule_post
from posts.services.recurrence import make_occurrences, repeat_post
from posts.services.series import end_recurrence
from queue_app import clock
from queue_app.models import Job
from tests.posts.making import account, draft
from tests.posts.services.test_posts_races import together

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_wall_time_makes_one_post_whoever_makes_it() -> None:
    post = schedule_post(draft(account()), at=clock.now() + timedelta(hours=1), timezone="Asia/Kathmandu")
    found = repeat_post(post, rule="FREQ=DAILY;INTERVAL=6")
    answers = together(*[partial(make_occurrences, found.pk)] * 3)
    assert all(isinstance(answer, int) for answer in answers)
    made = list(Post.objects.filter(recurrence=found).values_list("occurrence", flat=True))
    assert len(made) == len(set(made)) == 1 + sum(map(int, answers))  # type: ignore[call-overload]
    assert Job.objects.filter(type="posts.publish", state="pending").count() == len(made)


def test_a_series_that_is_ended_while_it_is_made_leaves_nothing_waiting() -> None:
    post = schedule_post(draft(account()), at=clock.now() + timedelta(hours=1), timezone="UTC")
    found = repeat_post(post, rule="FREQ=DAILY;INTERVAL=6")
    together(partial(make_occurrences, found.pk), partial(end_recurrence, found))
    assert make_occurrences(found.pk) == 0
    assert not Job.objects.filter(type="posts.publish", state="pending").exists()
