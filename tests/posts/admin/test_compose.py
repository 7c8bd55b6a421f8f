from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from posts.models import Delivery, DeliveryStatus, Media, Post, PostStatus
from queue_app import clock
from queue_app.models import Job
from tests.posts.admin.pages import EDITOR, PUBLISHER, browser, edit_form, form, page, person
from tests.posts.making import account, begin, delivery, draft, sent
from tests.posts.media.no_room import no_room
from tests.posts.media.pictures import encoded, file, moving, pdf, quarters

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/admin/posts/post/add/"
PNG = encoded(quarters(), "PNG")


@pytest.fixture(autouse=True)
def media_root(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def grace() -> Client:
    return browser(person("grace", PUBLISHER))


def png(name: str = "cat.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, PNG, "image/png")


def local(**ahead: float) -> str:
    from zoneinfo import ZoneInfo

    moment = (clock.now() + timedelta(**ahead)).astimezone(ZoneInfo("Europe/Berlin"))
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


def test_saves_a_draft_that_never_publishes(grace: Client) -> None:
    ada = account()
    response = grace.post(ADD, form(ada, text="Hello\r\nworld", goes_out=local(hours=1)))
    post = Post.objects.get()
    assert response.status_code == 302
    assert response["Location"] == page(post)
    assert (post.text, post.status, post.owner.username) == ("Hello\nworld", PostStatus.DRAFT, "grace")
    assert not Job.objects.exists()


def test_schedules_with_picture_own_text_zone_and_history(grace: Client) -> None:
    ada, bob = account("Ada"), account("Bob")
    at = local(hours=1)
    grace.post(
        ADD,
        form(ada, bob, button="_schedule", goes_out=at, **{f"own_{bob.pk}": "For Bob"}, new_pictures=[png()]),
    )
    post = Post.objects.get()
    assert post.status == PostStatus.SCHEDULED
    assert post.timezone == "Europe/Berlin"
    assert post.wall_time == at
    assert delivery(post, bob).text_override == "For Bob"
    assert delivery(post, ada).text_override is None
    assert post.media.get().original_name == "cat.png"
    assert Job.objects.filter(type="posts.publish").count() == 2
    history = grace.get(page(post, "history")).content.decode()
    assert "Scheduled." in history


def test_attaches_without_saving_and_keeps_what_was_typed(grace: Client) -> None:
    response = grace.post(ADD, form(account(), button="_attach", text="typed", new_pictures=[png(), png("dog.png")]))
    text = response.content.decode()
    assert not Post.objects.exists()
    assert Media.objects.count() == 2
    assert "typed" in text
    assert len(re.findall(r'name="picture" value="\d+"', text)) == 2


def test_orders_describes_and_removes_pictures(grace: Client) -> None:
    grace.post(ADD, form(account(), button="_attach", new_pictures=[png("a.png"), png("b.png"), png("c.png")]))
    a, b, c = Media.objects.order_by("pk")
    fields = {f"alt_{a.pk}": "an a", f"alt_{b.pk}": "a b", f"position_{a.pk}": "2", f"position_{b.pk}": "1"}
    grace.post(ADD, form(account("Ada"), picture=[a.pk, b.pk, c.pk], remove=[c.pk], **fields))
    kept = Post.objects.get().post_media.values_list("media_id", "alt_text")
    assert list(kept) == [(b.pk, "a b"), (a.pk, "an a")]


def test_every_kind_of_file_is_attached_without_scripts_and_a_document_has_no_alt_text(grace: Client) -> None:
    sent = {"cat.gif": moving("GIF"), "clip.mp4": file("clip.mp4"), "report.pdf": pdf()}
    uploads = [SimpleUploadedFile(name, content) for name, content in sent.items()]
    text = grace.post(ADD, form(account(), button="_attach", new_pictures=uploads)).content.decode()
    gif, video, document = Media.objects.order_by("pk")
    assert [found.kind for found in (gif, video, document)] == ["gif", "video", "document"]
    assert f'name="alt_{gif.pk}"' in text
    assert f'name="alt_{video.pk}"' in text
    assert f'name="alt_{document.pk}"' not in text
    assert '<span class="sq-thumbnail sq-no-preview">Document</span>' in text
    grace.post(ADD, form(account("Ada"), picture=[gif.pk, document.pk]))
    assert Post.objects.get().media.count() == 2


def test_what_a_network_does_not_take_is_said_beside_its_account(grace: Client) -> None:
    response = grace.post(
        ADD,
        form(
            account(),
            button="_schedule",
            goes_out=local(hours=1),
            new_pictures=[SimpleUploadedFile("report.pdf", pdf())],
        ),
    )
    assert "no documents can be posted there; take them off, or the account" in response.content.decode()
    assert not Post.objects.exists()


def test_the_page_tells_scripts_both_limits(grace: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 1000, "VIDEO_MAX_BYTES": 2000}
    text = grace.get(ADD).content.decode()
    assert 'data-max-bytes="1000"' in text
    assert 'data-video-max-bytes="2000"' in text


def test_uploads_are_stored_outside_of_any_transaction(grace: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from posts.admin import composer_form

    seen: list[bool] = []
    real = composer_form.store_upload

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(connection.in_atomic_block)
        return real(*args, **kwargs)

    monkeypatch.setattr(composer_form, "store_upload", watched)
    grace.post(ADD, form(account(), new_pictures=[png()]))
    assert seen == [False]


def test_a_file_that_is_no_picture_is_refused_beside_the_pictures(grace: Client) -> None:
    response = grace.post(ADD, form(account(), new_pictures=[SimpleUploadedFile("x.png", b"%!PS-Adobe")]))
    assert response.status_code == 200
    assert "x.png" in response.content.decode()
    assert not Post.objects.exists()


def test_a_full_disk_is_said_beside_the_pictures_and_keeps_what_was_typed(grace: Client) -> None:
    with no_room():
        response = grace.post(ADD, form(account(), text="typed", new_pictures=[png()]))
    text = response.content.decode()
    assert response.status_code == 200
    assert "cat.png was not stored: the server has no room for files." in text
    assert "typed" in text
    assert not Post.objects.exists()
    assert not Media.objects.exists()


def test_a_form_that_is_too_large_is_refused_early(grace: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "MEDIA_MAX_BYTES": 1000, "VIDEO_MAX_BYTES": 1000}
    response = grace.post(ADD, form(account(), new_pictures=[SimpleUploadedFile("big.png", b"0" * 300_000)]))
    assert response.status_code == 413
    assert "too large" in response.content.decode()
    assert not Post.objects.exists()


def test_scheduling_an_invalid_post_is_refused_beside_the_account(grace: Client) -> None:
    ada = account("Ada", "bluesky")
    bob = account("Bob")
    response = grace.post(ADD, form(ada, bob, button="_schedule", text="x" * 312, goes_out=local(hours=1)))
    text = response.content.decode()
    assert "Ada on Bluesky: text has 312 characters, the limit is 300" in text
    assert text.index(f"account_{ada.pk}_errors") < text.index("312 characters")
    assert f"account_{bob.pk}_errors" not in text
    assert "Nothing was saved" in text
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"goes_out": ""}, "Say when"),
        ({"goes_out": "2020-01-01T10:00"}, "in the past"),
        ({"goes_out": "2027-03-28T02:30"}, "does not exist in Europe/Berlin"),
        ({"goes_out": "2027-10-31T02:30"}, "happens twice"),
        ({"goes_out": "soon"}, "not a date and time"),
        ({"timezone": "Mars/Olympus", "goes_out": "2027-01-01T10:00"}, "Select a valid choice"),
        ({"priority": "11", "goes_out": "2027-01-01T10:00"}, "Select a valid choice"),
        ({"goes_out": "2027-01-02T10:00", "drop_after": "2027-01-01T10:00"}, "before it is due"),
        ({"goes_out": "2027-01-02T10:00", "accounts": []}, "no account"),
        ({"goes_out": "2027-01-02T10:00", "text": " "}, "the post is empty"),
        ({"goes_out": "2027-01-02T10:00", "token": "none"}, "The form is incomplete"),
        ({"goes_out": "2027-01-02T10:00", "language": "not a language"}, "is not a language"),
    ],
)
def test_says_what_is_wrong_and_saves_nothing(grace: Client, fields: dict[str, Any], words: str) -> None:
    response = grace.post(ADD, form(account(), button="_schedule", **fields))
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not Post.objects.exists()
    assert not Job.objects.exists()


def test_a_time_that_happens_twice_is_asked_and_then_taken(grace: Client) -> None:
    fields = form(account(), button="_schedule", goes_out="2027-10-31T02:30")
    assert 'name="fold"' in grace.post(ADD, fields).content.decode()
    grace.post(ADD, {**fields, "fold": "1"})
    assert f"{Post.objects.get().scheduled_at:%H:%M}" == "01:30"


def test_a_form_that_is_sent_twice_makes_one_post(grace: Client) -> None:
    fields = form(account(), button="_schedule", goes_out=local(hours=1))
    first, second = grace.post(ADD, fields), grace.post(ADD, fields)
    assert Post.objects.count() == 1
    assert Job.objects.filter(type="posts.publish").count() == 1
    assert first["Location"] == second["Location"]


def test_two_requests_at_once_make_one_post() -> None:
    grace = person("grace", PUBLISHER)
    clients = [browser(grace), browser(grace)]
    fields = form(account(), button="_schedule", goes_out=local(hours=1))
    start, answers = threading.Barrier(2), []

    def press(client: Client) -> None:
        try:
            start.wait(10)
            answers.append(client.post(ADD, fields).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [302, 302]
    assert Post.objects.count() == 1


def test_the_second_of_two_tabs_sees_a_conflict(grace: Client) -> None:
    ada = account()
    grace.post(ADD, form(ada))
    post = Post.objects.get()
    tab_one, tab_two = edit_form(grace, post, ada, text="one"), edit_form(grace, post, ada, text="two")
    assert grace.post(page(post), tab_one).status_code == 302
    answer = grace.post(page(post), tab_two)
    assert "This post was saved while you were writing" in answer.content.decode()
    assert "two" in answer.content.decode()
    post.refresh_from_db()
    assert post.text == "one"


def test_editing_a_scheduled_post_keeps_its_time_to_the_second(grace: Client) -> None:
    ada = account()
    grace.post(ADD, form(ada, button="_schedule", goes_out="2027-10-31T02:30", fold="1"))
    post = Post.objects.get()
    at, due = post.scheduled_at, Job.objects.get(type="posts.publish").run_at
    answer = grace.post(page(post), edit_form(grace, post, ada, text="new", goes_out="2027-10-31T02:30"))
    post.refresh_from_db()
    assert answer.status_code == 302
    assert (post.text, post.scheduled_at, post.status) == ("new", at, PostStatus.SCHEDULED)
    assert Job.objects.get(type="posts.publish").run_at == due


def test_another_time_moves_a_scheduled_post(grace: Client) -> None:
    ada = account()
    grace.post(ADD, form(ada, button="_schedule", goes_out="2027-01-02T10:00"))
    post = Post.objects.get()
    grace.post(page(post), edit_form(grace, post, ada, goes_out="2027-01-03T11:00"))
    job = Job.objects.get(type="posts.publish")
    assert f"{job.run_at:%Y-%m-%d %H:%M}" == "2027-01-03 10:00"


def test_publishing_asks_once(grace: Client) -> None:
    fields = form(account("Ada"), button="_publish")
    asked = grace.post(ADD, fields).content.decode()
    assert "Publish now on" in asked
    assert not Post.objects.exists()
    fields.pop("_publish")
    grace.post(ADD, {**fields, "_publish_surely": "yes"})
    assert Post.objects.get().status == PostStatus.SCHEDULED
    assert Job.objects.get(type="posts.publish").run_at <= clock.now()


@pytest.mark.parametrize("button", ["_schedule", "_publish", "_publish_surely"])
def test_an_editor_may_only_write(button: str) -> None:
    editor = browser(person("ed", EDITOR))
    assert f'name="{button}"' not in editor.get(ADD).content.decode()
    assert editor.post(ADD, form(account(), button=button, goes_out=local(hours=1))).status_code == 403
    assert not Post.objects.exists()


def test_an_editor_reads_a_scheduled_post_without_changing_it(grace: Client) -> None:
    ed = person("ed", EDITOR)
    grace.post(ADD, form(account(), button="_schedule", goes_out=local(hours=1)))
    post = Post.objects.get()
    Post.objects.update(owner=ed)
    client = browser(ed)
    assert 'id="composer"' not in client.get(page(post)).content.decode()
    assert client.post(page(post), form(text="changed")).status_code == 403


@pytest.mark.parametrize("how", ["being sent", "published"])
def test_what_is_sent_can_only_be_read(how: str) -> None:
    grace = person("grace", PUBLISHER)
    ada = account()
    post = sent(ada, owner=grace) if how == "published" else draft(ada, owner=grace)
    if how == "being sent":
        from posts.services.posts import publish_now

        publish_now(post)
        begin(delivery(post), mark=True)
    client = browser(grace)
    assert 'id="composer"' not in client.get(page(post)).content.decode()
    answer = client.post(page(post), form(ada, text="changed"))
    assert answer.status_code == 200
    assert "cannot be changed any more" in answer.content.decode()
    assert "changed</textarea>" in answer.content.decode()  # nothing typed is lost
    post.refresh_from_db()
    assert post.text == "Hello"


def test_reading_changes_nothing(grace: Client) -> None:
    post = draft(account(), owner=person("other"))
    before = list(Post.objects.values()), list(Delivery.objects.values()), Job.objects.count()
    for url in (
        ADD,
        f"{ADD}?_schedule=1&text=x",
        f"{page(post)}?_publish_surely=1",
        "/admin/posts/post/?action=delete",
    ):
        grace.get(url)
    assert (list(Post.objects.values()), list(Delivery.objects.values()), Job.objects.count()) == before


def test_a_form_is_known_again_after_its_post_was_edited(grace: Client) -> None:
    sent_form = form(account())
    grace.post(ADD, sent_form)
    post = Post.objects.get()
    edited = edit_form(grace, post, text="Better")
    for _time in range(2):  # pressed twice, it is one edit
        assert grace.post(page(post), edited).status_code == 302
    again = grace.post(ADD, sent_form)  # Back to the first form, and sent once more
    assert again["Location"] == page(post)
    assert [found.text for found in Post.objects.all()] == ["Better"]


def test_needs_the_token_against_forgery() -> None:
    client = browser(person("grace", PUBLISHER), enforce_csrf_checks=True)
    assert client.post(ADD, form(account())).status_code == 403
    assert not Post.objects.exists()


def test_a_calendar_may_propose_the_time(grace: Client) -> None:
    assert 'value="2027-05-01T09:00"' in grace.get(f"{ADD}?at=2027-05-01T09:00").content.decode()


def test_a_disabled_account_is_shown_with_its_trouble(grace: Client) -> None:
    ada = account("Ada", enabled=False)
    assert "Ada on Outbox is disabled" in grace.get(ADD).content.decode()
    answer = grace.post(ADD, form(ada, button="_schedule", goes_out=local(hours=1)))
    assert f"account_{ada.pk}_errors" in answer.content.decode()
    assert not Delivery.objects.filter(status=DeliveryStatus.SCHEDULED).exists()


def test_pictures_and_accounts_of_others_cannot_be_used(grace: Client) -> None:
    other = person("other")
    hers = account("Hers", owner=other)
    from tests.posts.making import picture

    theirs = picture(owner=other)
    assert "Hers" not in grace.get(ADD).content.decode()
    grace.post(ADD, form(hers, picture=[theirs.pk]))
    post = Post.objects.get()
    assert not post.media.exists()
    assert not post.deliveries.exists()


def test_the_list_is_read_in_few_queries(grace: Client, django_assert_max_num_queries: Any) -> None:
    owner = person("boss", is_superuser=True)
    accounts = [account(f"A{n}") for n in range(3)]
    for n in range(20):
        draft(*accounts, owner=owner, text=f"post {n}")
    client = browser(owner)
    client.get(reverse("admin:posts_post_changelist"))
    with django_assert_max_num_queries(30):
        text = client.get(reverse("admin:posts_post_changelist")).content.decode()
    assert "post 19" in text


@pytest.mark.parametrize("nonsense", ["\u00b2", "9" * 30, "abc", "-1", "\0"])
def test_nonsense_in_the_form_is_no_error(grace: Client, nonsense: str) -> None:
    for name in ("picture", "remove", "accounts", "fold", "version", "priority", "goes_out", "drop_after", "token"):
        fields = form(account(nonsense.replace("\0", "") + name), goes_out=local(hours=1)) | {name: nonsense}
        assert grace.post(ADD, fields).status_code in (200, 302)


def test_check_says_what_is_wrong_and_what_it_costs_and_saves_nothing(grace: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["outbox", "x"]}
    ada = account("Ada", "x")
    answer = grace.post(ADD, form(ada, text="See https://a.example", button="_check"))
    text = answer.content.decode()
    assert "Every chosen account takes the post as it stands" in text
    assert "$0.20" in text
    answer = grace.post(ADD, form(ada, text="y" * 281, button="_check"))
    assert "281 characters as X counts them, the limit is 280" in answer.content.decode()
    assert "as it stands" not in answer.content.decode()
    assert not Post.objects.exists()


def test_publishing_now_shows_what_it_costs_before_it_is_done(grace: Client, settings: Any) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "ENABLED_PLATFORMS": ["outbox", "x"]}
    answer = grace.post(ADD, form(account("Ada", "x"), text="Hello", button="_publish"))
    assert "$0.015" in answer.content.decode()
    assert not Post.objects.exists()
