"""The row of links on every page: for whom each is, which one is current, and that missing pages are left out."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from posts.admin import navigation
from posts.admin.navigation import Entry, links_for
from posts.models import Post
from tests.posts.admin.pages import VIEWER, browser, list_of, page, person
from tests.posts.making import account, draft

pytestmark = pytest.mark.django_db


def labels(text: str) -> list[str]:
    row = re.search(r'<nav class="sq-nav".*?</nav>', text, re.DOTALL)
    return re.findall(r"<a [^>]*>([^<]*)</a>", row[0]) if row else []


def test_leads_where_the_person_may_go() -> None:
    boss = browser(person("boss", is_superuser=True))
    assert {"Write", "Posts", "Library", "Accounts", "Jobs"} <= set(labels(boss.get("/admin/").content.decode()))
    viewer = browser(person("viewer", VIEWER))
    shown = set(labels(viewer.get(reverse("admin:password_change")).content.decode()))
    assert {"Posts", "Library", "Accounts"} <= shown
    assert "History" in shown  # of what they did themselves
    assert not {"Write", "Jobs"} & shown
    assert labels(browser(person("nobody")).get("/admin/").content.decode()) == []
    assert labels(browser(None).get("/admin/login/").content.decode()) == []
    assert links_for(AnonymousUser(), "/admin/") == []


def test_marks_the_page_that_is_open() -> None:
    boss = person("boss", is_superuser=True)
    post = draft(account("Ada"))
    for path, label, how in (
        (list_of(Post), "Posts", "page"),
        (page(post), "Posts", "true"),
        (reverse("admin:posts_post_add"), "Write", "page"),
    ):
        marked = [(link.label, link.current) for link in links_for(boss, path) if link.current]
        assert marked == [(label, how)], path
        text = browser(boss).get(path).content.decode()
        assert f'<a href="{path if how == "page" else list_of(Post)}" aria-current="{how}">{label}</a>' in text
    assert not [link for link in links_for(boss, "/admin/") if link.current]


def test_leaves_out_what_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navigation, "ENTRIES", (Entry("Nowhere", "admin:no_such_page", ("posts.view_post",)),))
    assert links_for(person("boss", is_superuser=True), "/admin/") == []
