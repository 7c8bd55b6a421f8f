"""Programs write, change, try and delete posts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from posts.models import Account, Delivery, Post, PostStatus
from posts.services import schedule_post, unschedule_post
from posts.services.errors import Conflict, NotAllowed, Refused
from queue_app import api, clock
from queue_app.models import Event, IdempotentAnswer, Job
from queue_app.rest import etags
from tests.posts.admin.pages import EDITOR, PUBLISHER, person
from tests.posts.making import LIVE, REJECTED, account, begin, delivery, draft, end, job_of, picture, sent
from tests.posts.rest.calling import Program
from tests.posts.rest.table import ROWS, Row

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return person("ada", PUBLISHER)


@pytest.fixture
def program(ada: User) -> Program:
    return Program(ada)


@pytest.fixture
def on(ada: User) -> Account:
    return account("Ada", owner=ada)


def errors(answer: Any) -> dict[str, str]:
    """Return what was wrong, by its path."""
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json"), answer.content
    return {error["path"]: error["message"] for error in answer.json()["errors"]}


def test_a_post_with_everything_is_stored_as_it_was_sent(program: Program, on: Account) -> None:
    other, file = account("Bob"), picture(owner=on.owner)
    made = program.post(
        "posts",
        {
            "text": "Hello",
            "accounts": [on.pk, other.pk],
            "overrides": [{"account": other.pk, "text": "Hi Bob"}],
            "media": [{"id": file.pk, "alt": "A cat"}],
            "thread_mode": "numbered",
            "language": "en",
            "tags": ["Launch", "cats"],
            "scheduled_at": "2030-07-01T09:30",
            "timezone": "Europe/Berlin",
            "expires_at": "2030-07-01T12:00+02:00",
            "priority": "high",
        },
    )
    told = made.json()
    assert (made.status_code, made["Location"]) == (201, f"/api/posts/{told['id']}")
    assert (told["status"], told["scheduled_at"]) == ("SCHEDULED", "2030-07-01T07:30:00Z")
    assert (told["wall_time"], told["timezone"]) == ("2030-07-01T09:30:00", "Europe/Berlin")
    assert (told["expires_at"], told["priority"]) == ("2030-07-01T10:00:00Z", 2)
    assert (told["tags"], told["media"]) == (["cats", "launch"], [{"id": file.pk, "alt": "A cat"}])
    assert told["overrides"] == [{"account": other.pk, "text": "Hi Bob", "options": {}}]
    jobs = {each["account"]["name"]: each["job"] for each in told["deliveries"]}
    assert {Job.objects.get(pk=job).priority for job in jobs.values()} == {2}
    assert told["deliveries"][0]["explanation"].startswith("Due at 2030-07-01 07:30:00 UTC")
    assert program.get(f"posts/{told['id']}").json() == told


def test_names_of_another_system_mean_the_same(program: Program, on: Account) -> None:
    body = {"content": "Hello", "profileIds": [on.pk], "scheduledAt": "2030-07-01T09:30Z", "status": "scheduled"}
    told = program.post("posts", body | {"firstComment": "Link", "threadMode": "split"}).json()
    assert (told["text"], told["status"], told["thread_mode"]) == ("Hello", "SCHEDULED", "split")
    assert told["first_comment"] == "Link"
    twice = program.post("posts", body | {"text": "Hi"})
    assert list(errors(twice)) == ["content"] or list(errors(twice)) == ["text"]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"bogus": 1}, {"bogus"}),
        ({"media": [{"id": "1"}]}, {"media.0.id"}),
        ({"media": [{"id": 1, "alt": "", "x": 1}]}, {"media.0.x"}),
        ({"accounts": [True]}, {"accounts.0"}),
        ({"accounts": [2**63 - 1], "media": [{"id": 7}]}, {"accounts.0", "media.0"}),
        ({"priority": 0}, {"priority"}),
        ({"priority": "urgent"}, {"priority"}),
        ({"status": "SENT"}, {"status"}),
        ({"status": "SCHEDULED"}, {"scheduled_at"}),
        ({"status": "DRAFT", "scheduledAt": "2030-01-01T10:00"}, {"scheduledAt"}),
        ({"status": "PUBLISHED", "scheduled_at": "2030-01-01T10:00"}, {"scheduled_at"}),
        ({"scheduled_at": "2001-01-01T10:00"}, {"scheduled_at"}),
        ({"scheduled_at": "tomorrow"}, {"scheduled_at"}),
        ({"scheduled_at": "2030-03-31T02:30", "timezone": "Europe/Berlin"}, {"scheduled_at"}),
        ({"scheduled_at": "2030-03-31T02:30", "timezone": "Mars/Base"}, {"timezone"}),
        ({"overrides": [{"account": 99, "text": "x"}]}, {"overrides.0"}),
        ({"text": "a\0b"}, {"text"}),
        ({"tags": ["a" * 60], "language": "english!"}, {"tags", "language"}),
        ({"text": None}, {"text"}),
        ([], {""}),
    ],
)
@pytest.mark.one_database
def test_what_is_wrong_is_said_with_its_path_and_nothing_is_written(
    body: Any, paths: set[str], program: Program, on: Account
) -> None:
    sent_body = {"text": "Hello", "accounts": [on.pk], **body} if isinstance(body, dict) else body
    assert set(errors(program.post("posts", sent_body))) == paths
    assert not Post.objects.exists()


@pytest.mark.one_database
def test_a_body_of_another_form_is_refused_in_words_of_the_api(program: Program) -> None:
    assert errors(program.post("posts", b"")) == {"": "Send a body, as JSON."}
    assert errors(program.post("posts", [])) == {"": "Send an object here: {…}."}
    assert errors(program.post("posts", {"media": [7]})) == {"media.0": "Send an object here: {…}."}
    assert errors(program.post("posts", {"nothing": 1})) == {"nothing": "There is no such field."}


@pytest.mark.one_database
def test_what_is_refused_of_a_post_that_is_not_there_yet_calls_it_by_no_number(program: Program, on: Account) -> None:
    late = {"scheduled_at": "2030-01-01T10:00", "expires_at": "2029-01-01T10:00", "accounts": [on.pk], "text": "Hi"}
    nowhere = program.post("posts/validate", {"text": "Hi"}).json()["errors"][0]["message"]
    assert nowhere == "The post has no account to go out on; choose at least one"
    said = errors(program.post("posts", late))["expires_at"]
    assert said == "The post is dropped if not out by 2029-01-01 10:00 (UTC), before it is due; change one"


@pytest.mark.one_database
def test_a_time_that_comes_twice_is_asked_and_taken_with_its_offset(program: Program, on: Account) -> None:
    body = {"text": "Hello", "accounts": [on.pk], "timezone": "Europe/Berlin"}
    said = errors(program.post("posts", body | {"scheduled_at": "2030-10-27T02:30"}))["scheduled_at"]
    assert "2030-10-27T02:30:00+02:00 or 2030-10-27T02:30:00+01:00" in said
    told = program.post("posts", body | {"scheduled_at": "2030-10-27T02:30:00+01:00"}).json()
    assert (told["scheduled_at"], told["wall_time"]) == ("2030-10-27T01:30:00Z", "2030-10-27T02:30:00")


def test_what_an_account_refuses_is_said_of_that_account_and_all_or_nothing_is_done(
    program: Program, on: Account
) -> None:
    bob = account("Bob", "bluesky")
    body = {"accounts": [on.pk, bob.pk], "text": "Hi", "overrides": [{"account": bob.pk, "text": "x" * 400}]}
    answer = program.post("posts", body | {"status": "PUBLISHED"})
    (error,) = answer.json()["errors"]
    assert (error["path"], error["account"]) == ("overrides.0.text", bob.pk)
    assert not Post.objects.exists()
    assert not Job.objects.exists()
    options = [{"account": bob.pk, "options": {"bogus": {"a": []}}}]
    tried = program.post("posts/validate", {"accounts": [bob.pk], "text": "Hi", "overrides": options}).json()
    assert "overrides.0.options.bogus" in [each["path"] for each in tried["errors"]]
    Account.objects.filter(pk=on.pk).update(enabled=False)
    assert "accounts.0" in errors(program.post("posts", {"accounts": [on.pk], "text": "Hi", "status": "PUBLISHED"}))


def test_an_option_of_another_kind_than_its_own_is_refused_with_its_path(program: Program) -> None:
    tube = account("Tube", "youtube")
    for wrong in ({"privacy": ["public"]}, {"tags": [{}]}, {"made_for_kids": 3.5}):
        body = {"accounts": [tube.pk], "text": "Hi", "overrides": [{"account": tube.pk, "options": wrong}]}
        assert set(errors(program.post("posts", body))) == {f"overrides.0.options.{name}" for name in wrong}


def test_trying_writes_nothing_and_says_what_would_be_refused(program: Program, on: Account) -> None:
    good = program.post("posts/validate", {"accounts": [on.pk], "text": "Hi", "status": "PUBLISHED"}).json()
    assert good == {"valid": True, "errors": [], "notes": []}
    bad = program.post("posts/validate", {"accounts": [on.pk]}).json()
    assert (bad["valid"], bad["errors"][0]["path"], bad["errors"][0]["account"]) == (False, "text", on.pk)
    unknown = program.post("posts/validate", {"accounts": [99], "text": "Hi"}).json()
    assert [each["path"] for each in unknown["errors"]] == ["accounts.0"]
    assert not Post.objects.exists()
    assert not Job.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_change_leaves_what_it_does_not_name(program: Program, on: Account) -> None:
    body = {"accounts": [on.pk], "text": "Hi", "overrides": [{"account": on.pk, "text": "Own"}], "tags": ["a"]}
    made = program.post("posts", body | {"priority": 3, "expires_at": "2030-01-01T00:00Z"}).json()
    path = f"posts/{made['id']}"
    told = program.patch(path, {"text": "New", "tags": ["b"]}).json()
    assert (told["text"], told["tags"], told["overrides"]) == ("New", ["b"], made["overrides"])
    assert (told["priority"], told["expires_at"]) == (3, made["expires_at"])
    told = program.patch(path, {"overrides": [], "expiresAt": None}).json()
    assert (told["overrides"], told["expires_at"], told["text"]) == ([], None, "New")
    assert program.patch(path, {}).json()["version"] == told["version"]


@pytest.mark.one_database
def test_null_says_nothing_of_a_field_and_takes_no_time_from_a_post_that_waits(program: Program, on: Account) -> None:
    body = {"accounts": [on.pk], "text": "Hi", "scheduled_at": "2030-01-01T10:00"}
    made = program.post("posts", body).json()
    path, written = f"posts/{made['id']}", LogEntry.objects.count()
    assert program.patch(path, {"text": None, "accounts": None, "timezone": None}).json() == made
    assert LogEntry.objects.count() == written
    said = errors(program.patch(path, {"scheduledAt": None}))
    assert said == {"scheduledAt": "A scheduled post needs a time; send one, or the status DRAFT or PUBLISHED"}
    told = program.patch(path, {"status": "DRAFT", "scheduledAt": None}).json()
    assert (told["status"], told["scheduled_at"]) == ("DRAFT", None)
    assert program.patch(path, {"scheduledAt": None}).json()["version"] == told["version"]


def test_a_change_leaves_what_somebody_changed_while_it_was_on_its_way(
    program: Program, on: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"posts/{program.post('posts', {'accounts': [on.pk], 'text': 'Hi'}).json()['id']}"
    other = Program(on.owner)
    expected = etags.expected_version

    def meanwhile(*args: Any) -> int | None:
        monkeypatch.undo()
        assert other.patch(path, {"text": "New", "priority": 2}).status_code == 200
        return expected(*args)

    monkeypatch.setattr(etags, "expected_version", meanwhile)
    assert program.patch(path, {"language": "en"}).status_code == 200
    told = program.get(path).json()
    assert (told["text"], told["priority"], told["language"]) == ("New", 2, "en")


def test_a_post_is_scheduled_moved_taken_back_and_published_by_its_status(program: Program, on: Account) -> None:
    post = draft(on, owner=on.owner)
    path, at = f"posts/{post.pk}", "2030-07-01T09:30"
    assert set(errors(program.patch(path, {"status": "SCHEDULED"}))) == {"scheduled_at"}
    told = program.patch(path, {"scheduledAt": at, "timezone": "Europe/Berlin"}).json()
    job = told["deliveries"][0]["job"]
    assert (told["status"], told["scheduled_at"]) == ("SCHEDULED", "2030-07-01T07:30:00Z")
    told = program.patch(path, {"scheduled_at": "2030-07-02T09:30", "text": "Later"}).json()
    assert (told["scheduled_at"], told["text"]) == ("2030-07-02T07:30:00Z", "Later")
    told = program.patch(path, {"timezone": "Asia/Tokyo"}).json()
    assert (told["scheduled_at"], told["wall_time"]) == ("2030-07-02T07:30:00Z", "2030-07-02T16:30:00")
    told = program.patch(path, {"status": "DRAFT"}).json()
    assert (told["status"], told["scheduled_at"]) == ("DRAFT", None)
    assert (Job.objects.get(pk=job).state, Event.objects.filter(job=job).latest("pk").actor) == ("cancelled", "ada")
    told = program.patch(path, {"status": "PUBLISHED"}).json()
    assert (told["status"], told["deliveries"][0]["job"]) == ("SCHEDULED", job)
    assert Job.objects.get(pk=job).run_at <= clock.now()


def test_what_is_scheduled_is_changed_only_with_the_permission_to_schedule() -> None:
    ed = person("ed", EDITOR)
    on, other = account("Ada"), account("Bob")
    post = schedule_post(draft(on, owner=ed), at=clock.now() + timedelta(hours=1))
    changes = ({"accounts": [on.pk, other.pk]}, {"accounts": []}, {"text": "Better"}, {"priority": 1}, {"tags": ["x"]})
    for change in changes:
        refused = Program(ed).patch(f"posts/{post.pk}", change)
        assert (refused.status_code, "may not schedule posts" in refused.json()["detail"]) == (403, True)
    assert Job.objects.get() == job_of(delivery(post))


def test_what_is_being_sent_or_live_is_no_draft_again(program: Program, on: Account) -> None:
    post = sent(on, owner=on.owner)
    assert program.patch(f"posts/{post.pk}", {"status": "DRAFT"}).status_code == 409
    waits = draft(on, account("Bob"), owner=on.owner)
    schedule_post(waits, at=clock.now() + timedelta(hours=1))
    api.reschedule(job_of(delivery(waits, on)).pk, clock.now())
    end(delivery(waits, on), LIVE)
    with pytest.raises(Refused):
        unschedule_post(waits)
    assert delivery(waits, on).status == "published"
    assert waits.deliveries.exclude(account=on).get().status == "scheduled"
    marked = draft(on, owner=on.owner)
    schedule_post(marked, at=clock.now())
    begin(delivery(marked), mark=True)
    with pytest.raises(Refused):
        unschedule_post(marked)


def test_a_failed_post_that_is_a_draft_again_leaves_the_dead_letters(on: Account) -> None:
    post = sent(on, outcome=REJECTED, owner=on.owner)
    assert unschedule_post(post).status == PostStatus.DRAFT
    found = delivery(post)
    assert (found.status, found.error_message, job_of(found).state) == ("draft", "", "cancelled")
    version = unschedule_post(post).version  # a draft stays as it is
    with pytest.raises(Conflict):
        unschedule_post(post, expected_version=version - 1)
    with pytest.raises(NotAllowed):
        unschedule_post(post, actor=person("bob", PUBLISHER))


def test_deleting_says_whether_it_was_in_the_queue(program: Program, on: Account) -> None:
    waits, written = draft(on, owner=on.owner), draft(on, owner=on.owner)
    schedule_post(waits, at=clock.now() + timedelta(hours=1))
    assert program.delete(f"posts/{waits.pk}").json() == {"deleted": True, "job_removed": True, "jobs_removed": 1}
    assert program.delete(f"posts/{written.pk}").json()["job_removed"] is False
    assert program.delete(f"posts/{written.pk}").status_code == 404
    marked = draft(on, owner=on.owner)
    schedule_post(marked, at=clock.now())
    begin(delivery(marked), mark=True)
    assert program.delete(f"posts/{marked.pk}").status_code == 409
    assert Post.objects.count() == 1


def test_somebody_elses_change_is_not_written_over(program: Program, on: Account) -> None:
    made = program.post("posts", {"accounts": [on.pk], "text": "Hi"})
    path, tag = f"posts/{made.json()['id']}", made["ETag"]
    changed = program.patch(path, {"text": "One"}, If_Match=tag)
    assert (changed.status_code, changed["ETag"] == tag) == (200, False)
    for method, body in (("PATCH", {"text": "Two"}), ("PATCH", {"status": "DRAFT"}), ("DELETE", None)):
        refused = program(method, path, body, If_Match=tag)
        assert (refused.status_code, refused.json()["title"]) == (412, "Precondition Failed")
    assert Post.objects.get().text == "One"
    assert program.get(path, If_None_Match=f'"x", {changed["ETag"]}').status_code == 304
    Delivery.objects.update(url="https://outbox.example/1")
    moved = program.get(path, If_None_Match=changed["ETag"])
    assert (moved.status_code, moved["ETag"] == changed["ETag"]) == (200, False)
    assert program.delete(path, If_Match=f"{tag}, W/{moved['ETag']}").status_code == 200


def test_the_history_says_who_did_it_and_by_which_key(program: Program, on: Account) -> None:
    made = program.post("posts", {"accounts": [on.pk], "text": "Hi"}).json()
    program.patch(f"posts/{made['id']}", {"text": "Ho"})
    program.delete(f"posts/{made['id']}")
    lines = LogEntry.objects.filter(object_id=str(made["id"])).order_by("pk")
    assert [(line.user.get_username(), line.change_message) for line in lines] == [
        ("ada", f"{done} through the API, by the key “Script”.") for done in ("Made", "Changed", "Deleted")
    ]


def test_a_session_needs_its_token_and_a_key_does_not(ada: User, program: Program, on: Account) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    body = {"accounts": [on.pk], "text": "Hi"}
    refused = browser.post("/api/posts", body, content_type="application/json")
    assert (refused.status_code, "X-CSRFToken" in refused.json()["detail"]) == (403, True)
    browser.get("/api/docs")
    token = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    assert browser.post("/api/posts", body, content_type="application/json", headers=token).status_code == 201
    assert browser.get("/api/posts").status_code == 200


# Of these one is only a trial, and the row of the others is refused: test_media.py sends them twice.
OTHERS = ("validate_post", "upload_file", "fetch_file")
CREATING = sorted(name for name, row in ROWS.items() if row.method == "POST" and name not in OTHERS)


def test_all_that_makes_or_acts_takes_a_key() -> None:
    paths = Client().get("/api/openapi.json").json()["paths"]
    posts = [methods["post"] for methods in paths.values() if "post" in methods]
    keyed = {each["operationId"] for each in posts if "Idempotency-Key" in str(each.get("parameters"))}
    assert keyed == {each["operationId"] for each in posts} - {"validate_post"}


@pytest.mark.parametrize("name", CREATING)
def test_sent_twice_with_one_key_it_is_done_once(name: str) -> None:
    row: Row = ROWS[name]
    root = User.objects.create_superuser("root")
    program, ids = Program(root), row.target(root)
    path, body = row.path.format(**ids), row.body(ids)
    first = program.post(path, body, Idempotency_Key="one")
    before = Post.objects.count(), Job.objects.count(), Event.objects.count(), LogEntry.objects.count()
    again = program.post(path, body, Idempotency_Key="one")
    assert (first.status_code, again.status_code, again.content) == (row.done, row.done, first.content)
    assert (again["Idempotency-Replayed"], again.get("ETag")) == ("true", first.get("ETag"))
    assert before == (Post.objects.count(), Job.objects.count(), Event.objects.count(), LogEntry.objects.count())
    assert program.post(path, {"text": "other"}, Idempotency_Key="one").status_code == 422
    assert IdempotentAnswer.objects.count() == 1
