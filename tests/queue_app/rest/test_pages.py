"""Lists in pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import signing
from django.test.utils import CaptureQueriesContext

from posts.models import Post
from queue_app import api, clock
from queue_app.database import connection, is_postgresql
from queue_app.models import Job
from queue_app.rest.pages import SALT, page_of
from queue_app.rest.problems import Problem
from tests.queue_app.jobs import Register

pytestmark = pytest.mark.django_db
ORDERS = {"-id": "-pk", "run_at": "run_at", "-run_at": "-run_at", "-finished_at": "-finished_at"}


def read(order: str, limit: int, name: str, *, meanwhile: bool = False) -> list[int]:
    """Return the ids of every page; ``meanwhile``, jobs are added between them."""
    found, cursor = [], ""
    while True:
        page = page_of(Job.objects.all(), order=order, orders=ORDERS, cursor=cursor, limit=limit)
        assert len(page.rows) <= limit
        found += [job.pk for job in page.rows]
        if not page.next:
            return found
        cursor = page.next
        if meanwhile:
            api.enqueue(name, run_at=clock.now() + timedelta(days=2))


@pytest.mark.parametrize("order", ["-id", "run_at", "-run_at"])
def test_every_row_comes_once_also_where_values_are_equal_and_rows_are_added(order: str, register: Register) -> None:
    name = register(lambda context: None)
    at = clock.now() + timedelta(days=1)
    made = [api.enqueue(name, run_at=at + timedelta(hours=place // 3)).pk for place in range(8)]
    wanted = made if order == "run_at" else sorted(made, reverse=True)
    assert read(order, 3, name) == wanted
    seen = read(order, 3, name, meanwhile=order != "run_at")
    assert seen == wanted


@pytest.mark.parametrize("order", ["scheduled_at", "-scheduled_at"])
def test_a_page_deep_in_a_list_is_entered_by_an_index(order: str) -> None:
    for day in range(3):
        Post.objects.create(scheduled_at=clock.now() + timedelta(days=day))
    orders = {order: order}
    cursor = page_of(Post.objects.all(), order=order, orders=orders, limit=1).next
    with CaptureQueriesContext(connection()) as asked:
        page_of(Post.objects.all(), order=order, orders=orders, cursor=cursor, limit=1)
    with connection().cursor() as database:
        if is_postgresql():
            database.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        database.execute(f"EXPLAIN {'' if is_postgresql() else 'QUERY PLAN'} {asked.captured_queries[0]['sql']}")
        plan = str(database.fetchall())
    wanted = f"scheduled_at {'<' if order.startswith('-') else '>'}= "
    assert (f"AND ({wanted}" in plan) if is_postgresql() else ("SEARCH posts_post USING INDEX" in plan), plan


def test_rows_without_a_value_are_left_out(register: Register) -> None:
    api.enqueue(register(lambda context: None))
    assert read("-finished_at", 3, "") == []


def test_a_cursor_that_is_not_ours_and_an_unknown_order_are_refused(register: Register) -> None:
    name = register(lambda context: None)
    for _ in range(3):
        api.enqueue(name)
    own = page_of(Job.objects.all(), order="-id", orders=ORDERS, limit=1).next
    forged = signing.dumps(["-run_at", "never", 1], salt=SALT)
    cases = [
        ("-id", own[:-1] + ("B" if own.endswith("A") else "A")),
        ("-id", "x" * 10_000),
        ("run_at", own),
        ("-run_at", forged),
        ("owner__password", ""),
    ]
    for order, cursor in cases:
        with pytest.raises(Problem) as refused:
            page_of(Job.objects.all(), order=order, orders=ORDERS, cursor=cursor, limit=1)
        assert refused.value.status == 400
