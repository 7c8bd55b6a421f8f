"""Addresses, clients and actions for the tests of the queue's pages."""

from __future__ import annotations

import html
import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import reverse


def client_of(name: str, *codenames: str, **fields: Any) -> Client:
    """Return a client with a new member of staff signed in, who has these permissions."""
    person = User.objects.create_user(name, is_staff=True, **fields)
    person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(person)
    return client


def address(kind: type[Model] | Model, view: str = "changelist") -> str:
    """Return the address of a list, or of a row's page."""
    args = [kind.pk] if isinstance(kind, Model) else []
    name = f"admin:queue_app_{kind._meta.model_name}"
    return reverse(f"{name}_change" if args and view == "changelist" else f"{name}_{view}", args=args)


def ask(client: Client, action: str, *rows: Model, query: str = "", everything: bool = False, **answers: Any) -> Any:
    """Start an action on ``rows``, or on ``everything`` that ``query`` matches; return its question."""
    return client.post(address(type(rows[0])) + query, _data(action, rows, everything) | answers)


def act(client: Client, action: str, *rows: Model, query: str = "", everything: bool = False, **answers: Any) -> Any:
    """Do an action as a person does: read the question, say yes, look at what comes."""
    asked = ask(client, action, *rows, query=query, everything=everything).content.decode()
    hidden = {name: html.unescape(_value(asked, name)) for name in ("confirmed", "warned")}
    data = _data(action, rows, everything) | hidden | answers
    return client.post(address(type(rows[0])) + query, data, follow=True)


def text_of(answer: Any) -> str:
    """Return what a page says, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def said(answer: Any) -> str:
    """Return the messages of a page."""
    return " ".join(str(message) for message in answer.context["messages"])


def _data(action: str, rows: tuple[Model, ...], everything: bool) -> dict[str, Any]:
    across = "1" if everything else "0"
    return {"action": action, "index": "0", "select_across": across, "_selected_action": [row.pk for row in rows]}


def _value(text: str, name: str) -> str:
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', text)
    return found[1] if found else ""
