"""Programs list posts, and act on them: retry, cancel, publish now, queue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from posts.models import Account, Post
from posts.services import schedule_post
from queue_app import clock
from queue_app.models import Job
from tests.posts.admin.pages import EDITOR, PUBLISHER, person
from tests.posts.making import NO_ANSWER, REJECTED, account, begin, delivery, draft, picture, sent
from tests.posts.rest.calling import Program

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return person("ada", PUBLISHER)


@pytest.fixture
def on(ada: User) -> Account:
    return account("Ada", owner=ada)


@pytest.fixture
def program(ada: User) -> Program:
    return Program(ada)


def ids(program: Program, query: str) -> list[int]:
    return [post["id"] for post in program.get(f"posts?{query}").json()["items"]]


def test_a_list_has_what_is_asked_for_of_ones_own_posts(program: Program, ada: User, on: Account) -> None:
    sky = account("Sky", "bluesky")
    one = draft(on, owner=ada, text="A red fox", tags=["fox"])
    two = draft(sky, owner=ada, text="A blue bird")
    draft(sky, owner=person("bob", PUBLISHER))
    two = schedule_post(two, at=clock.now() + timedelta(days=2))
    three = sent(on, owner=ada, outcome=REJECTED)
    assert ids(program, "") == [three.pk, two.pk, one.pk]
    assert ids(program, "order=scheduled_at") == [three.pk, two.pk]
    assert ids(program, "status=DRAFT") == ids(program, "tag=Fox") == ids(program, "q=RED") == [one.pk]
    assert ids(program, "status=failed") == [three.pk]
    assert ids(program, "platform=bluesky") == ids(program, f"account={sky.pk}") == [two.pk]
    tomorrow = (clock.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%MZ")
    assert (ids(program, f"from={tomorrow}"), ids(program, f"to={tomorrow}")) == ([two.pk], [three.pk])
    day = two.scheduled_at.date()
    assert ids(program, f"from={day}&to={day + timedelta(days=1)}") == [two.pk]
    assert ids(program, f"to={day}") == [three.pk]
    assert ids(program, "q=%27 OR 1=1 --") == ids(program, "q=%25") == []


@pytest.mark.one_database
@pytest.mark.parametrize(
    "query",
    [
        "text__regex=.",
        "account__credential__startswith=a",
        "account=x",
        "account=99999999999999999999",
        "status=sent",
        "from=tomorrow",
        "order=owner__password",
        "limit=0",
        "limit=101",
        "cursor=x",
        "page=9",
        "q=%00",
    ],
)
def test_a_query_that_means_nothing_is_400(query: str, program: Program) -> None:
    answer = program.get(f"posts?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"]


def test_pages_shift_nothing_while_posts_are_added(program: Program, ada: User, on: Account) -> None:
    made = [draft(on, owner=ada).pk for _ in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = program.get(f"posts?limit=2&cursor={cursor}").json()
        seen += [post["id"] for post in page["items"]]
        cursor = page["next"]
        draft(on, owner=ada)
    assert seen == sorted(made, reverse=True)


def test_a_list_asks_no_more_for_more_posts(
    program: Program, ada: User, on: Account, django_assert_max_num_queries: object
) -> None:
    for _ in range(6):
        draft(on, owner=ada, tags=["a"], media=[picture(owner=ada)])
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        assert len(program.get("posts").json()["items"]) == 6


def test_a_retry_answers_with_the_jobs(program: Program, ada: User, on: Account) -> None:
    post = sent(on, owner=ada, outcome=REJECTED)
    told = program.post(f"posts/{post.pk}/retry").json()
    assert (told["job_ids"], told["post"]["status"]) == ([delivery(post).job_id], "SCHEDULED")
    assert program.post(f"posts/{post.pk}/retry").status_code == 409
    unsure = sent(on, owner=ada, outcome=NO_ANSWER)
    refused = program.post(f"posts/{unsure.pk}/retry")
    assert (refused.status_code, "twice" in refused.json()["detail"]) == (409, True)
    assert program.post(f"posts/{unsure.pk}/retry", {"evenIfUncertain": True}).status_code == 200
    assert program.post(f"posts/{unsure.pk}/retry", {"even_if_uncertain": "yes"}).status_code == 422


def test_a_cancellation_says_whether_there_was_one(program: Program, ada: User, on: Account) -> None:
    post = draft(on, owner=ada)
    schedule_post(post, at=clock.now() + timedelta(hours=1))
    told = program.post(f"posts/{post.pk}/cancel").json()
    assert (told["cancelled"], told["jobs_cancelled"], told["post"]["status"]) == (True, 1, "CANCELLED")
    told = program.post(f"posts/{post.pk}/cancel").json()
    assert (told["cancelled"], told["jobs_cancelled"], told["refused"]) == (False, 0, [])
    sending = draft(on, owner=ada)
    schedule_post(sending, at=clock.now())
    begin(delivery(sending), mark=True)
    assert program.post(f"posts/{sending.pk}/cancel").json()["refused"] == [delivery(sending).pk]


def test_a_scheduled_post_goes_out_now(program: Program, ada: User, on: Account) -> None:
    post = draft(on, owner=ada)
    schedule_post(post, at=clock.now() + timedelta(hours=1))
    assert program.post(f"posts/{post.pk}/publish-now").json()["status"] == "SCHEDULED"
    assert Job.objects.get().run_at <= clock.now()


def test_one_upload_is_queued_for_several_platforms_spaced(program: Program, ada: User, on: Account) -> None:
    account("Sky", "bluesky", owner=ada)
    account("Gone", "bluesky", owner=ada, enabled=False)
    file = picture(owner=ada)
    body = {"media": [{"id": file.pk, "alt": "A cat"}], "platforms": ["bluesky", "outbox"], "startDelayMinutes": 5}
    told = program.post("posts/queue", body | {"interval_minutes": 30})
    assert told.status_code == 201
    jobs = [Job.objects.get(pk=pk) for pk in told.json()["job_ids"]]
    assert (jobs[1].run_at - jobs[0].run_at).total_seconds() == 1800
    assert [Post.objects.get(pk=pk).owner for pk in told.json()["post_ids"]] == [ada, ada]
    before = Post.objects.count()
    for wrong, path in (({"platforms": ["bluesky", "x"]}, "platforms"), ({"media": [{"id": 999}]}, "media.0")):
        refused = program.post("posts/queue", body | wrong)
        assert [each["path"] for each in refused.json()["errors"]] == [path]
    assert Post.objects.count() == before
    scheduler = Program(person("eve", [*EDITOR, "posts.schedule_post"]))
    assert scheduler.post("posts/queue", {"platforms": ["outbox"]}).status_code == 422
