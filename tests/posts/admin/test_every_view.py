"""Every address of the admin and of the posts app, found through the resolver: who may send what, hostile texts and
questions, forms of other sites. A new address without a line in the tables here fails a test by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from posts import urls as posts_urls
from posts.models import Account, Delivery, Media, Post, PostMedia, TelegramMessage, TelegramSource, WebhookEndpoint
from queue_app.models import ApiKey, Attempt, Block, Breaker, Event, Job, MaintenanceWindow, Notice, Worker
from tests.filled import HOSTILE, fill
from tests.posts.admin.pages import browser, person
from tests.posts.admin.test_hostile_people import everything
from tests.posts.admin.test_permissions import PEOPLE
from tests.walk import READING, addresses, views

pytestmark = pytest.mark.django_db

WRITERS, OPERATORS, MOVERS, LIBRARIANS = {"editor", "publisher"}, {"operator"}, {"publisher"}, {"librarian"}
# Who may send a form to which address, beside a superuser; to all others nobody may. "*" is everybody of the staff.
MAY_SEND: dict[str, set[str]] = {
    "password_change": {"*"},  # one's own
    "queue_app_notifications": {"*"},  # one's own
    "posts_post_add": WRITERS,
    "posts_post_change": WRITERS,
    "posts_post_preview": WRITERS,
    "posts_post_preview_stored": MOVERS,
    "posts_post_import": WRITERS,
    "posts_post_when": WRITERS,
    "posts_post_next_slot": WRITERS,
    "posts_account_slots": OPERATORS,
    "posts_account_test": OPERATORS,
    "posts_account_resume": OPERATORS,
    "posts_calendar_drop": MOVERS,
    "posts_calendar_move": MOVERS,
    "posts_calendar_undo": MOVERS,
    "posts_media_upload": WRITERS | LIBRARIANS,
    "posts_account_add": OPERATORS,
    "posts_account_reconnect": OPERATORS,
    "posts_account_failure": OPERATORS,
    "posts_account_texts": OPERATORS,
    "posts_telegramsource_add": OPERATORS,
    "posts_telegramsource_change": OPERATORS,
    "posts_telegramsource_delete": OPERATORS,
    "posts_telegramsource_webhook": OPERATORS,
    "posts_webhookendpoint_add": OPERATORS,
    "posts_webhookendpoint_edit": OPERATORS,
    "posts_webhookendpoint_secret": OPERATORS,
    "queue_app_block_add": OPERATORS,
    "queue_app_maintenancewindow_add": OPERATORS,
    "queue_app_maintenancewindow_change": OPERATORS,
    "queue_app_maintenancewindow_delete": OPERATORS,
}
# Of these the one row that is asked for belongs to somebody: to others it is not there, or it is left as it is.
OF_THEIR_OWNER = {"posts_post_change", "posts_post_preview_stored", "posts_calendar_move"}
REFUSED = (403, 404, 405)
UPLOADERS = ("editor", "publisher", "librarian", "other owner")
OURS = ("posts_", "queue_app_")
SCRIPT = HOSTILE.encode()
# What people and networks write, by table.
WRITTEN: dict[Any, Sequence[str]] = {
    Post: ("text", "first_comment"),
    Account: ("name", "signature", "reconnect_reason"),
    Delivery: ("error_message", "error_code", "text_override"),
    Media: ("original_name", "alt_text"),
    PostMedia: ("alt_text",),
    TelegramSource: ("name", "bot_name", "last_error"),
    WebhookEndpoint: ("name", "url"),
    TelegramMessage: ("reason",),
    Job: ("last_error", "reason", "target_id"),
    Attempt: ("message", "error_class", "traceback", "worker"),
    Event: ("reason", "actor"),
    Block: ("reason", "actor"),
    Notice: ("text",),
    Worker: ("host", "version"),
    Breaker: ("last_error",),
    MaintenanceWindow: ("name",),
    ApiKey: ("name",),
    User: ("first_name", "last_name"),
    Group: ("name",),
    LogEntry: ("object_repr", "change_message"),
}
QUESTIONS = (
    ("q", "' OR 1=1 --"),
    ("q", "\0"),
    ("q", "a " * 5_000),
    ("p", "9" * 400),
    ("p", "-1"),
    ("o", "sealed_credentials"),
    ("o", "-99.99"),
    ("id__regex", "."),
    ("pk__in", "1,2"),
    ("text__startswith", "a"),
    ("sealed_credentials__startswith", "a"),
    ("account__sealed_credentials__startswith", "a"),
    ("deliveries__account__sealed_credentials__contains", "a"),
    ("owner__password__startswith", "a"),
    ("user__password__startswith", "a"),
    ("secret_hash__startswith", "a"),
    ("job__args__contains", "a"),
)
# What the app's own addresses say to a GET and to a POST: to everybody ("*"), and to who is known.
OWN: dict[str, dict[str, tuple[int, int]]] = {
    "outbox": {"*": (200, 405)},
    "outbox_post": {"*": (404, 405)},
    "outbox_picture": {"*": (404, 405)},
    "signed_media": {"*": (403, 405)},
    "upload": {"*": (405, 403), **dict.fromkeys(UPLOADERS, (405, 400)), "anonymous": (405, 401)},
    "thumbnail": {"*": (404, 405), "operator": (200, 405), "anonymous": (302, 405)},
    "meta_changes": {"*": (400, 403)},
    "meta_deauthorize": {"*": (405, 400)},
    "meta_data_deletion": {"*": (405, 400)},
    "meta_deletion": {"*": (404, 405)},
    "tiktok_notice": {"*": (405, 403)},
    "telegram_updates": {"*": (405, 403)},
}


@pytest.fixture
def newsroom(settings: Any, tmp_path: Path) -> dict[str, list[str]]:
    """A site with rows in every state; the addresses of its pages by name."""
    settings.MEDIA_ROOT = tmp_path / "media"
    fill()
    return addresses(sql)


def sql(query: str) -> Sequence[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def boss(**options: Any) -> Client:
    return browser(User.objects.get(username="admin"), **options)


def page_at(client: Client, url: str) -> bytes:
    """Return a page; a file that is not shown as one, such as a CSV file, is none."""
    answer = client.get(url)
    is_page = answer.headers.get("Content-Type", "").startswith("text/html") and not answer.streaming
    return answer.content if is_page else b""


def send(client: Client, url: str) -> Any:
    return client.post(url, {"text": "x", "name": "x", "key": "all", "post": "yes", "confirmed": "yes"})


def is_refused(answer: Any) -> bool:
    """Return whether nothing was taken; from a row that is not shown to one, one is led to the index or the list."""
    back = re.fullmatch(r"/admin/([a-z_]+/[a-z_]+/)?", answer.headers.get("Location", ""))
    return answer.status_code in REFUSED or bool(answer.status_code == 302 and back)


@pytest.fixture
def people(newsroom: dict[str, list[str]]) -> dict[str, User | None]:
    """One of each kind; "other owner" is a publisher to whom nothing here belongs."""
    known = {who: person(who, may) for who, may in PEOPLE.items()}
    return {**known, "other owner": person("other owner", PEOPLE["publisher"]), "anonymous": None}


@pytest.mark.one_database
def test_a_form_is_taken_from_exactly_these(newsroom: dict[str, list[str]], people: dict[str, User | None]) -> None:
    wrong: list[tuple[str, str, int]] = []
    for who, user in people.items():
        client = browser(user)
        if who != "other owner":
            Post.objects.update(owner=user)
            Media.objects.update(owner=user)
        for name in (name for name in newsroom if not name.endswith(READING)):
            may = MAY_SEND.get(name, set())
            if who == "other owner" and name in OF_THEIR_OWNER:
                continue  # the next test is about these
            with transaction.atomic():
                answer = send(client, newsroom[name][0])
                transaction.set_rollback(True)
            if who == "anonymous":
                right = answer.headers.get("Location", "").startswith("/admin/login/")
            elif may & {who, "*", "publisher" if who == "other owner" else who}:
                right = answer.status_code not in REFUSED
            else:
                right = is_refused(answer)
            wrong += [] if right else [(who, name, answer.status_code)]
    assert not wrong, "\n".join(map(str, wrong))


def test_nothing_of_a_post_of_others_is_changed(newsroom: dict[str, list[str]], people: dict[str, User | None]) -> None:
    client, before, changed = browser(people["other owner"]), everything(), []
    for name in sorted(OF_THEIR_OWNER):
        send(client, newsroom[name][0])
        changed += [name] if everything() != before else []
    assert changed == []


@pytest.mark.one_database
def test_nothing_is_taken_from_a_form_of_another_site(newsroom: dict[str, list[str]]) -> None:
    client, before = boss(enforce_csrf_checks=True), everything()
    urls = {name: urls[0] for name, urls in newsroom.items()} | {"upload": reverse("posts:upload")}
    assert {name: status for name, url in urls.items() if (status := send(client, url).status_code) != 403} == {}
    assert everything() == before


def test_looking_changes_nothing(newsroom: dict[str, list[str]]) -> None:
    client = boss()
    said = {"action": "delete", "confirmed": "1", "_selected_action": "1", "post": "yes", "_save": "1", "text": "x"}
    client.get(newsroom["index"][0])
    before, changed = everything(), []
    for name, urls in newsroom.items():
        for ask in (client.get, client.head, client.post):
            if ask != client.post or (name.endswith(READING) and not name.endswith("_changelist")):
                ask(urls[0], said)
        if (after := everything()) != before:
            changed.append(name)
            before = after
    assert changed == []


@pytest.mark.one_database
def test_a_script_in_any_text_is_text_on_every_page(newsroom: dict[str, list[str]]) -> None:
    for model, names in WRITTEN.items():
        model.objects.update(**dict.fromkeys(names, HOSTILE))
    client = boss()
    alive = [url for urls in newsroom.values() for url in urls if SCRIPT in page_at(client, url)]
    alive += [url for url in ("/outbox/", "/outbox/1/") if SCRIPT in page_at(client, url)]
    assert alive == []
    shown = "".join(client.get(newsroom[name][0]).content.decode() for name in ("posts_post_changelist", "index"))
    assert "&lt;script&gt;" in shown


def test_no_list_breaks_or_tells_on_a_hostile_question(newsroom: dict[str, list[str]]) -> None:
    client, wrong = boss(raise_request_exception=False), []
    for page in sorted(name for name in newsroom if name.startswith(OURS) and name.endswith("_changelist")):
        for name, value in QUESTIONS:
            status = client.get(newsroom[page][0], {name: value}, follow="__" not in name).status_code
            if status not in ((400,) if "__" in name else (200, 400)):
                wrong.append((page, name, value[:20], status))
    assert not wrong, "\n".join(map(str, wrong))


def test_the_apps_own_addresses_have_a_line() -> None:
    assert {view.name for view in views(posts_urls.urlpatterns, "/")} == set(OWN)


def test_the_apps_own_addresses_answer_exactly_these(
    newsroom: dict[str, list[str]], people: dict[str, User | None]
) -> None:
    Media.objects.update(owner=User.objects.get(username="admin"))
    asked, wrong = own_addresses(), []
    for who, user in people.items():
        client = browser(user)
        for name, url in asked.items():
            with transaction.atomic():
                said = (status_of(client.get(url)), status_of(client.post(url)))
                transaction.set_rollback(True)
            if said != OWN[name].get(who, OWN[name]["*"]):
                wrong.append((who, name, said))
    assert not wrong, "\n".join(map(str, wrong))


def status_of(answer: Any) -> int:
    if answer.streaming:
        answer.getvalue()  # a file that is sent is closed once it was read
    return int(answer.status_code)


def own_addresses() -> dict[str, str]:
    media = Media.objects.earliest("id")
    arguments: dict[str, list[Any]] = {
        "outbox_post": [1],
        "outbox_picture": [1, 0],
        "signed_media": ["forged", "a.jpg"],
        "thumbnail": [media.uuid],
        "meta_deletion": ["forged"],
        "telegram_updates": ["forged"],
    }
    return {name: reverse(f"posts:{name}", args=arguments.get(name, [])) for name in OWN}
