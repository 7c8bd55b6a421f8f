"""A newsroom's site: believable accounts, posts and jobs in every state, for the pages that people look at.

Run inside a site that is not served yet: ``site.python("from tests.filled import fill; fill()")``.
"""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.core.management import call_command
from PIL import Image, ImageDraw, ImageFilter

from posts.models import (
    Account,
    Delivery,
    Media,
    PendingLogin,
    Post,
    Recurrence,
    Slot,
    Tag,
    TelegramSource,
    WebhookEndpoint,
)
from posts.services.endpoints import create_endpoint
from posts.services.media import store_upload
from posts.services.posts import cancel_post, publish_now, schedule_post
from posts.services.standing import ask_reconnect
from posts.services.tags import set_tags
from posts.services.telegram_sources import save_source
from queue_app import blocks, clock
from queue_app.keys import create_key
from queue_app.models import Attempt, BlockKind, Breaker, Job, Limit, MaintenanceWindow, Worker
from queue_app.outcomes import Done
from tests.posts.making import NO_ANSWER, REJECTED, begin, draft, sent, unsettled

ZONE = "Europe/Berlin"
HOSTILE = "<script>alert(1)</script>"
TEXTS = (
    "Our autumn issue is out: forty pages on rivers, and on the people who live beside them.",
    "Doors open at seven. Bring a friend, the second ticket is on us.",
    "We rebuilt the search from scratch. It finds what you meant, in half the time.",
    "Three things we learned from a year of weekly releases 👇",
    "The bakery on the corner turns a hundred today. Here is their very first price list.",
    "New opening hours from Monday: nine to six, Thursdays until eight.",
    "Thank you for 10,000 readers! We drew a map of where you are.",
    "Registration for the spring workshop is open until Friday: https://example.org/workshop",
    "A short walk through the new reading room, in six pictures.",
    "Job opening: we are looking for somebody who enjoys maps as much as we do.",
)
COLOURS = (("#123c69", "#edc7b7"), ("#2f4858", "#f6ae2d"), ("#355c3a", "#f2e8cf"), ("#6d2e46", "#ece2d0"))


def fill(hostile: str = HOSTILE) -> None:
    """Fill the site, with ``hostile`` in some names and texts. All is of the user admin, whom ``first_run`` makes."""
    call_command("first_run", stdout=io.StringIO())
    admin = User.objects.get(username="admin")
    accounts = _accounts(admin, hostile)
    media = [_picture(admin, number, hostile) for number in range(len(COLOURS))]
    _posts(admin, accounts, media, hostile)
    _plan(admin, accounts[0])
    _queue(accounts)
    _others(admin, accounts[0])
    _feed(admin, hostile)


def fill_many(posts: int) -> None:
    """Add ``posts`` published posts, each with its delivery, job and attempt, by a few statements."""
    admin, account, now = User.objects.get(username="admin"), Account.objects.earliest("id"), clock.now()
    at = [now - timedelta(minutes=30 * number) for number in range(1, posts + 1)]
    texts = (f"{TEXTS[number % len(TEXTS)]} ({number})" for number in range(posts))
    stored = Post.objects.bulk_create(
        [
            Post(owner=admin, text=text, status="published", scheduled_at=moment, timezone=ZONE)
            for text, moment in zip(texts, at, strict=True)
        ]
    )
    times = [{"created_at": moment, "updated_at": moment, "started_at": moment, "finished_at": moment} for moment in at]
    jobs = Job.objects.bulk_create(
        [
            Job(type="posts.publish", state="completed", run_at=moment, attempts=1, keys=[account.block_key], **given)
            for moment, given in zip(at, times, strict=True)
        ]
    )
    Attempt.objects.bulk_create(
        [
            Attempt(
                job=job,
                number=1,
                fence=1,
                worker="w",
                started_at=job.run_at,
                finished_at=job.run_at,
                outcome="completed",
            )
            for job in jobs
        ]
    )
    Delivery.objects.bulk_create(
        [
            Delivery(post=post, account=account, job=job, status="published", published_at=job.run_at)
            for post, job in zip(stored, jobs, strict=True)
        ]
    )


def _accounts(admin: User, hostile: str) -> list[Account]:
    """The demo's outbox and four that look like a newsroom's; nothing may ever be sent to these."""
    demo = Account.objects.get(platform="outbox")
    Account.objects.filter(pk=demo.pk).update(owner=None)
    made = [
        Account.objects.create(platform=platform, name=name, identity_id=name, owner=admin, **fields)
        for platform, name, fields in (
            ("mastodon", "@rivermagazine@mastodon.example", {"config": {"base_url": "https://mastodon.example"}}),
            ("bluesky", "rivermagazine.example", {"config": {"handle": "rivermagazine.example"}}),
            ("outbox", "Reading room", {"signature": "River Magazine", "variables": {"city": "Basel"}}),
            ("outbox", f"Archive {hostile}".strip(), {"enabled": False}),
        )
    ]
    return [demo, *made]


def _picture(admin: User, number: int, hostile: str) -> Media:
    back, front = COLOURS[number]
    picture, dice = Image.new("RGB", (1200, 800), back), random.Random(number)
    draw = ImageDraw.Draw(picture)
    for step in range(9):
        left, size = dice.randrange(1000), 60 + 40 * step
        draw.ellipse((left, 700 - 70 * step, left + size, 700 - 70 * step + size), fill=front)
    stream = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(2)).save(stream, "JPEG")
    name = ("river.jpg", "reading-room.jpg", "map.jpg", f"doors{hostile}.jpg")[number]
    stored = store_upload(ContentFile(stream.getvalue(), name=name), owner=admin, original_name=name)
    Media.objects.filter(pk=stored.pk).update(is_in_library=True, alt_text=f"Circles above a river {hostile}".strip())
    set_tags(stored, ["cover", "autumn"] if number % 2 else ["map"])
    return stored


def _posts(admin: User, accounts: Sequence[Account], media: Sequence[Media], hostile: str) -> None:
    demo, mastodon, bluesky, room, _archive = accounts
    write: dict[str, Any] = {"owner": admin, "timezone": ZONE, "tags": ["autumn"]}
    draft(demo, room, text=f"{TEXTS[3]}\n\n{hostile}".strip(), media=media[:1], **write)
    draft(mastodon, text=TEXTS[9], **write)
    for number in range(8):
        post = draft(*(demo, room)[: 1 + number % 2], text=TEXTS[number], media=media[number % 4 :][:1], **write)
        schedule_post(post, at=_at(1 + number * 2 // 3, 9 + number % 4 * 2), timezone=ZONE)
    for number in range(6):
        live = Done({"id": str(number), "url": f"https://outbox.example/{number}", "response": {}})
        post = sent(demo, text=TEXTS[9 - number], outcome=live, media=media[number % 3 :][:1], **write)
        _went_out(post, _at(-1 - number * 2 // 3, 8 + number))
    _went_out(sent(room, text=TEXTS[5], outcome=REJECTED, **write), _at(-1, 12))
    unsettled(room, text=TEXTS[7], **write)
    cancelled = draft(demo, text=TEXTS[1], **write)
    schedule_post(cancelled, at=_at(3, 15), timezone=ZONE)
    cancel_post(cancelled, actor=admin)
    for number in range(2):
        held = draft(bluesky, text=TEXTS[6 + number], **write)
        schedule_post(held, at=_at(1 + number, 18), timezone=ZONE)
    ask_reconnect(Account.objects.get(pk=bluesky.pk), "reconnect_needed")
    running = sent(demo, text=TEXTS[2], outcome=NO_ANSWER, **write)
    Job.objects.filter(delivery__post=running).update(needs_review_at=None)
    begin(_start(room, TEXTS[8], write))


def _start(account: Account, text: str, write: dict[str, Any]) -> Delivery:
    return publish_now(draft(account, text=text, **write)).deliveries.select_related("account", "post").get()


def _plan(admin: User, account: Account) -> None:
    for weekday, hour in ((0, 9), (2, 12), (4, 17)):
        Slot.objects.create(account=account, weekday=weekday, wall_time=time(hour, 30))
    Account.objects.filter(pk=account.pk).update(slots_timezone=ZONE)
    Tag.objects.get_or_create(name="events")
    start = f"{_at(2, 10).astimezone(ZoneInfo(ZONE)):%Y-%m-%dT%H:%M}"
    weekly = Recurrence.objects.create(
        owner=admin, rule="FREQ=WEEKLY;BYDAY=MO,TH", first_wall_time=start, timezone=ZONE, made_until=start
    )
    post = draft(account, text="This week in the reading room", owner=admin, timezone=ZONE)
    schedule_post(post, at=_at(2, 10), timezone=ZONE)
    Post.objects.filter(pk=post.pk).update(recurrence=weekly, occurrence=start)


def _queue(accounts: Sequence[Account]) -> None:
    now = clock.now()
    blocks.place(accounts[4].block_key, BlockKind.DISABLED, now=now, reason="Until the archive is back")
    blocks.place("type:reports.monthly", BlockKind.PAUSE, now=now, reason="The report is being rewritten", actor="ruth")
    MaintenanceWindow.objects.create(
        name="Backup", key="type:reports.monthly", weekdays=[6], starts="02:30", duration_minutes=60, timezone=ZONE
    )
    Worker.objects.create(
        name="1c7e-2", cluster="1c7e", queues={"default": 1}, host="press-2", pid=4711, start_ticks="1", version="0.1",
        started_at=now - timedelta(days=1), heartbeat_at=now - timedelta(hours=3), stopped_at=now - timedelta(hours=3),
    )  # fmt: skip
    Limit.objects.create(key=accounts[3].block_key, used=3)
    Breaker.objects.create(key="platform:x", failures=5, trips=1, open_until=now + timedelta(hours=2))


def _others(admin: User, account: Account) -> None:
    create_key(admin, name="Newsletter script", scopes=["read"])
    hook, _secret = create_endpoint(admin, name="Reading list", url="https://127.0.0.1:9/hook", names=["post.failed"])
    answers = ((500, "The receiver answered with status 500."), (204, ""))
    WebhookEndpoint.objects.filter(pk=hook.pk).update(
        enabled=False, off_reason="failing", failing_since=clock.now(),
        recent=[
            {"at": clock.now().isoformat(), "event": "post.failed", "event_id": 1, "status": status, "message": said}
            for status, said in answers
        ],
    )  # fmt: skip
    Group.objects.create(name="Editors")
    ruth = User.objects.create_user("ruth", is_staff=True, first_name="Ruth")
    PendingLogin.objects.create(
        user=admin, platform="facebook", state_hash="0" * 64, sealed="", created_at=clock.now(), returned=True
    )
    for who, row, said in ((admin, account, "Tested: it is Demo."), (ruth, Post.objects.latest("id"), "Rescheduled.")):
        LogEntry.objects.log_actions(who.pk, [row], CHANGE, said, single_object=True)


def _feed(admin: User, hostile: str) -> None:
    """A bot that feeds posts, with what was written to it; nothing may ever be asked of Telegram for it."""
    feed = TelegramSource(owner=admin, name="News desk", senders=[4242], timezone=ZONE, api_url="http://127.0.0.1:9")
    feed.last_stranger = {"id": 99, "name": f"Eve {hostile}".strip()}
    save_source(feed, token="123456:AAFedByNobody")
    for number, text in enumerate((f"A new picture {hostile}".strip(), TEXTS[4])):
        feed.messages.create(
            update_id=number, chat_id=4242, message_id=number, group_key=f"message:4242:{number}",
            content={"text": text}, state=("waiting", "refused")[number], received_at=clock.now(),
        )  # fmt: skip


def _at(days: int, hour: int) -> datetime:
    """Return a time of the day that is ``days`` from now, in the newsroom's zone."""
    today: date = clock.now().astimezone(ZoneInfo(ZONE)).date()
    return datetime.combine(today + timedelta(days=days), time(hour), tzinfo=ZoneInfo(ZONE))


def _went_out(post: Post, at: datetime) -> None:
    """Put what happened to ``post`` back to ``at``."""
    until = at + timedelta(seconds=3)
    Post.objects.filter(pk=post.pk).update(scheduled_at=at, created_at=at - timedelta(days=2))
    Delivery.objects.filter(post=post, status="published").update(published_at=until)
    jobs = Job.objects.filter(delivery__post=post)
    Attempt.objects.filter(job__in=jobs).update(started_at=at, finished_at=until)
    jobs.update(created_at=at - timedelta(days=2), run_at=at, started_at=at, finished_at=until)
