"""People, requests and forms for the tests of the admin's pages."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from posts.models import Account, Post
from tests.people import allow

VIEWER = ("posts.view_post", "posts.view_account", "posts.view_media")
EDITOR = (*VIEWER, "posts.add_post", "posts.change_post", "posts.add_media")
PUBLISHER = (
    *EDITOR,
    "posts.delete_post",
    "posts.schedule_post",
    "posts.publish_post",
    "posts.reschedule_post",
    "posts.retry_post",
    "posts.cancel_post",
)


def person(name: str, may: Sequence[str] = (), **fields: Any) -> User:
    """Return a member of staff with these permissions ("app.codename")."""
    return allow(User.objects.create_user(name, is_staff=True, **fields), may)


def browser(user: User | None, **options: Any) -> Client:
    """Return a client, with ``user`` signed in."""
    client = Client(**options)
    if user is not None:
        client.force_login(user)
    return client


def page(row: Model, view: str = "change") -> str:
    """Return the address of a row's page."""
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_{view}", args=[row.pk])


def list_of(kind: type[Model]) -> str:
    """Return the address of a list."""
    return reverse(f"admin:{kind._meta.label_lower.replace('.', '_')}_changelist")


def act(client: Client, action: str, *rows: Model, sure: bool = True, **answers: Any) -> Any:
    """Send an action on ``rows`` of one kind; ``sure``: go on from its confirmation page."""
    data = {"action": action, "index": "0", "_selected_action": [row.pk for row in rows], **answers}
    asked = client.post(list_of(type(rows[0])), data)
    text = asked.content.decode()
    if not sure or 'name="warned"' not in text:
        return asked
    return client.post(list_of(type(rows[0])), data | {name: value(text, name) for name in ("confirmed", "warned")})


def form(*accounts: Account, button: str = "_save", **fields: Any) -> dict[str, Any]:
    """Return what the composer sends."""
    return {
        "token": str(uuid.uuid4()),
        "text": "Hello",
        "timezone": "Europe/Berlin",
        "priority": "5",
        "accounts": [account.pk for account in accounts],
        button: "yes",
        **fields,
    }


def edit_form(client: Client, post: Post, *accounts: Account, **fields: Any) -> dict[str, Any]:
    """Return what the composer of a stored post sends, with the version and token of its page."""
    text = client.get(page(post)).content.decode()
    hidden = {name: value(text, name) for name in ("token", "version")}
    return form(*accounts, **hidden | fields)


def value(text: str, name: str) -> str:
    """Return the value of the input ``name`` on a page."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', text)
    assert found is not None, f"no input {name}"
    return html.unescape(found[1])


def messages_of(response: Any) -> str:
    """Return the messages that the next page will show."""
    return " ".join(str(message) for message in response.wsgi_request._messages)
