"""Every page and every field of the admin under nonsense: it is refused or taken for nothing, never an error."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.template.base import Template
from django.test import Client
from django.urls import reverse

from posts.models import Account, Delivery, Media, Post, Recurrence, Tag
from queue_app import blocks, clock
from queue_app.database import is_postgresql
from queue_app.models import Attempt, Block, BlockKind, Breaker, Event, Job, Limit, MaintenanceWindow, Notice, Worker
from tests.posts.admin.pages import browser, edit_form, form, list_of, page, person
from tests.posts.making import REJECTED, account, delivery, draft, picture, sent

pytestmark = pytest.mark.django_db

KINDS = [Post, Delivery, Account, Media, Job, Attempt, Worker, Block, MaintenanceWindow, Notice, Limit, Breaker, Event]
NONSENSE = ["", "abc", "²", "\0", "%s\r\nX: y", "9" * 30, "1" * 5000, "a " * 2000, "9999-12-31 23:59:59-14:00"]
# What PostgreSQL itself would break at; all the rest is refused, or taken for nothing, before either database sees it.
STORED_NONSENSE = ["\0", "9" * 30, "9999-12-31 23:59:59-14:00"]
# What every list reads in the same way; one is asked.
LISTS_OWN = ("p", "all", "e", "_popup", "_to_field", "_facets", "unknown")
# Of each list the actions that ask for most.
ASKING = {
    Post: ("reschedule_with_spacing", "retry"),
    Recurrence: ("end", "extend"),
    Delivery: ("mark_published",),
    Account: ("delete",),
    Media: ("tag", "delete"),
    Job: ("retry", "retry_edited", "hold", "reprioritise", "discard"),
    Block: ("lift",),
    Limit: ("forget",),
    Breaker: ("close",),
}
Question = tuple[object, Callable[[], Any]]


@pytest.fixture
def nonsense() -> list[str]:
    """What is asked here: everything on one of the two databases."""
    return STORED_NONSENSE if is_postgresql() else NONSENSE


@pytest.fixture
def boss(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    settings.MEDIA_ROOT = tmp_path / "media"
    # For the test client Django copies the context of each template that is rendered; nobody here looks at those.
    monkeypatch.setattr(Template, "_render", lambda template, context: template.nodelist.render(context))
    return browser(person("boss", is_superuser=True), raise_request_exception=False)


@pytest.fixture
def rows() -> dict[type[Any], Any]:
    """One row of every kind."""
    now = clock.now()
    ada = account("Ada")
    worker = Worker.objects.create(
        name="w", cluster="c", queues={"default": 1}, host="h", pid=1, start_ticks="1", version="1",
        started_at=now, heartbeat_at=now, types=["posts.publish"],
    )  # fmt: skip
    found = delivery(sent(ada, outcome=REJECTED, media=[picture()]))
    assert found.job is not None
    block = blocks.place("account:7", BlockKind.PAUSE, now=now)
    window = MaintenanceWindow.objects.create(name="Backup", weekdays=[0], starts="02:30", duration_minutes=60)
    every = [found.post, found, ada, Media.objects.get(), found.job, Attempt.objects.get(), worker, block, window]
    limit = Limit.objects.create(key="account:7", used=1, opens_at=now)
    breaker = Breaker.objects.create(key="account:7", trips=1, open_until=now)
    series = Recurrence.objects.create(rule="FREQ=DAILY", first_wall_time="2026-11-27T14:05:00", timezone="UTC")
    every += [Notice.objects.get(), limit, breaker, series]
    return {type(row): row for row in every} | {Event: Event.objects.order_by("pk").last()}


def errors_of(questions: Iterable[Question]) -> list[str]:
    """Ask them all, undoing what each does; return those at which the server broke."""
    found = []
    for what, ask in questions:
        # As in production, a time without a zone in an address is a warning, not an error.
        with warnings.catch_warnings(), transaction.atomic():
            warnings.simplefilter("ignore", RuntimeWarning)
            answer = ask()
            transaction.set_rollback(True)
        if answer.status_code >= 500:
            found.append(f"{str(what)[:150]} -> {answer.exc_info[1]!r:.200}")
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_lists_take_any_question(kind: Any, boss: Client, rows: dict[type[Any], Any], nonsense: list[str]) -> None:
    names = ["q", "o", *(LISTS_OWN if kind is KINDS[0] else ())]
    for wanted in admin.site._registry[kind].list_filter:
        name = getattr(wanted, "parameter_name", None) or (wanted[0] if isinstance(wanted, tuple) else str(wanted))
        names += [name, *(f"{name}__{suffix}" for suffix in ("exact", "id__exact", "isnull", "gte", "lt"))]

    def ask(name: str, value: str) -> Question:
        return (name, value), lambda: boss.get(list_of(kind), {name: value})

    # What is refused for its name is refused whatever its value.
    names = [name for name in names if "__" not in name or ask(name, "abc")[1]().status_code != 400]
    assert errors_of(ask(name, value) for name in names for value in nonsense) == []


@pytest.mark.parametrize("kind", KINDS)
def test_pages_take_any_id(kind: Any, boss: Client) -> None:
    def ask(view: str, value: str) -> Iterator[Question]:
        url = f"{list_of(kind)}{quote(value, safe='')}/{view}"
        yield url, lambda: boss.get(url)
        yield url, lambda: boss.post(url)

    views = ("", "change/", "history/", "delete/", "reconnect/", "failure/")
    assert errors_of(question for view in views for value in NONSENSE[1:] for question in ask(view, value)) == []


@pytest.mark.parametrize("kind", ASKING)
def test_actions_take_any_answer(kind: Any, boss: Client, rows: dict[type[Any], Any], nonsense: list[str]) -> None:
    data = {"index": "0", "_selected_action": str(rows[kind].pk), "confirmed": "1", "warned": "", "next": "/admin/"}
    data |= {"at": "2030-01-01T10:00", "timezone": "UTC", "fold": "", "interval_minutes": "5", "url": ""}
    data |= {
        "tags": "a, b",
        "select_across": "0",
        "even_if_uncertain": "",
        "arguments": "{}",
        "reason": "x",
        "priority": "3",
        "ends_on": "2030-01-01",
        "with_exceptions": "",
    }

    def ask(action: str, field: str, value: object) -> Question:
        return (action, field, value), lambda: boss.post(list_of(kind), data | {"action": action, field: value})

    asked: list[tuple[str, str]] = []
    for action in ASKING[kind]:
        # What is no field of its own form each action reads in the same way.
        known = {name for _, name in asked} - set(form_of(kind, action))
        asked += [(action, name) for name in fields_of(boss, kind, data | {"action": action}) if name not in known]
    assert errors_of(ask(action, name, value) for action, name in asked for value in nonsense) == []


def fields_of(boss: Client, kind: type[Any], data: dict[str, str]) -> list[str]:
    """Return what the action takes: the fields of its question, its form, and the list that it is started from."""
    started = {name: data[name] for name in ("action", "index", "_selected_action")}
    question = boss.post(list_of(kind), started).content.decode()
    own = form_of(kind, data["action"])
    return [
        *started,
        "select_across",
        *(name for name in data if name not in started and (name in own or f'name="{name}"' in question)),
    ]


def form_of(kind: type[Any], name: str) -> dict[str, Any]:
    """Return the fields of the action's own form."""
    page_of: Any = admin.site._registry[kind]
    (action,) = (action for action in page_of.confirmed_actions if action.name == name)
    return getattr(action.form_class, "base_fields", {})


def forms_of(boss: Client, ada: Account) -> dict[str, dict[str, Any]]:
    """Return what each form of the admin takes, by its address."""
    cat = picture()
    post = draft(ada, media=[cat])
    tag = Tag.objects.create(name="tag")
    of_row = {
        f"own_{ada.pk}": "x",
        f"alt_{cat.pk}": "x",
        f"position_{cat.pk}": "1",
        "picture": str(cat.pk),
        "remove": "",
    }
    times = {"goes_out": "2030-01-01T10:00", "drop_after": "2030-01-02T10:00", "fold": "", "language": "en"}
    series = {"repeats": "weekly", "repeat_every": "1", "repeat_days": ["TU"], "repeat_rule": "FREQ=DAILY"}
    times |= {**series, "repeat_until": "2030-03-01", "scope": "this"}
    window = {"name": "x", "key": "all", "weekdays": ["0"], "starts": "02:30", "duration_minutes": "5", "enabled": "on"}
    add, connect = reverse("admin:posts_post_add"), reverse("admin:posts_account_add")
    return {
        add: form(ada, button="_schedule", **of_row, **times),
        page(post): edit_form(boss, post, ada, button="_publish_surely", **of_row, **times),
        reverse("admin:posts_account_slots", args=[ada.pk]): {"do": "copy", "day": "0", "time": "09:00", "to": ["1"]},
        f"{connect}?platform=outbox": {"name": "X", "keeps_keys": "yes", "shared": "on"},
        reverse("admin:posts_account_failure", args=[ada.pk]): {"failure": "lost", "times": "3"},
        page(cat): {"_save": "yes", "alt_text": "x", "tags": "a, b", "is_in_library": "on"},
        reverse("admin:posts_media_upload"): {"file": SimpleUploadedFile("a.png", b"no picture")},
        reverse("admin:posts_media_tags"): {"_rename": "yes", "tag": str(tag.pk), "name": "other"},
        reverse("admin:queue_app_block_add"): {"key": "account:7", "reason": "x", "until": "", "confirmed": "yes"},
        reverse("admin:queue_app_maintenancewindow_add"): {**window, "timezone": "UTC"},
    }


def test_forms_take_anything_in_any_field(boss: Client, rows: dict[type[Any], Any], nonsense: list[str]) -> None:
    found, add = forms_of(boss, rows[Account]), reverse("admin:posts_post_add")
    values = [*nonsense, ["1", "2", "\0"]]
    if not is_postgresql():
        values += [None, SimpleUploadedFile("a.png", b"no picture")]

    def given(url: str, name: str) -> list[Any]:
        """The composer has one form; of a stored post it is asked again with what a database would break at."""
        again = name in found[add] and url.startswith("/admin/posts/post/") and url != add
        return STORED_NONSENSE if again else values

    assert (
        errors_of(
            asked(boss, url, data, name, to) for url, data in found.items() for name in data for to in given(url, name)
        )
        == []
    )
    huge = [asked(boss, add, found[add], name, "x" * 1_000_000) for name in ("text", "language", "goes_out", "token")]
    assert errors_of(huge) == []


@pytest.mark.parametrize("time", ["0001-01-01T00:00", "9999-12-31T23:59", "9999-12-31T23:59:59-14:00"])
def test_no_form_stores_a_time_that_some_zone_cannot_show(boss: Client, time: str) -> None:
    ada = account("Ada")
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
        for field in ("goes_out", "drop_after"):
            boss.post(reverse("admin:posts_post_add"), form(ada, timezone=zone, **{field: time}))
    boss.post(reverse("admin:queue_app_block_add"), {"key": "account:7", "until": time, "confirmed": "yes"})
    assert not Block.objects.exists()
    assert not Post.objects.exclude(expires_at=None).exists()
    for post in Post.objects.all():
        assert boss.get(page(post)).status_code == 200
    assert boss.get(list_of(Post)).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("platform", ["bluesky", "telegram"])
def test_connecting_takes_anything_in_any_field(boss: Client, platform: str) -> None:
    address = {"service": "http://127.0.0.1:1"} if platform == "bluesky" else {"api_url": "http://127.0.0.1:1"}
    data = address | {"identifier": "a.b", "password": "b", "token": "1:a", "chat": "b"}
    url = f"{reverse('admin:posts_account_add')}?platform={platform}"
    values = [
        *NONSENSE,
        "http://[",
        "http://a:b@127.0.0.1:1",
        "file:///etc/passwd",
        "http://127.0.0.1:99999",
        "x" * 100_000,
    ]
    for name in data:
        for value in values:
            assert boss.post(url, data | {name: value}).status_code == 200, (name, value[:40])
    assert not Account.objects.exists()


def asked(boss: Client, url: str, data: dict[str, Any], field: str, value: object) -> Question:
    """Return the form with ``value`` in ``field``, or without it where that is ``None``."""
    changed = {name: given for name, given in data.items() if name != field}
    return (url, field, value), lambda: boss.post(url, changed if value is None else changed | {field: value})


@pytest.mark.one_database
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", "x"]
)
def test_forms_take_a_body_of_any_kind(boss: Client, rows: dict[type[Any], Any], content_type: str) -> None:
    urls = [*forms_of(boss, rows[Account]), list_of(Post), reverse("posts:upload"), "/admin/login/"]

    def ask(url: str, body: bytes) -> Question:
        return (url, body), lambda: boss.generic("POST", url, body, content_type)

    bodies = [
        b"",
        b"\xff\0",
        b"{" * 5000,
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff',
    ]
    before = Post.objects.count()
    assert errors_of(ask(url, body) for url in urls for body in bodies) == []
    assert Post.objects.count() == before


@pytest.mark.parametrize(
    "url", ["/outbox/?page={}", "/outbox/?per_page={}", "/outbox/{}/", "/outbox/1/pictures/{}/", "/media/{}/"]
)
def test_the_apps_own_pages_take_anything(url: str, boss: Client) -> None:
    values = [value for value in NONSENSE if value or "?" in url]

    def ask(value: str) -> Question:
        return (url, value), lambda: boss.get(url.format(quote(value, safe="")))

    assert errors_of(map(ask, values)) == []
