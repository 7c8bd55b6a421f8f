"""The admin's history: one line for each thing that a person did, in the transaction that did it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest

NAME_CHARACTERS = 200


def record(request: HttpRequest, row: Model, flag: int, message: str, *, key: Any = None, name: str = "") -> None:
    """Write that the signed-in person did ``message`` to ``row``; ``key`` and ``name`` where it is already deleted."""
    LogEntry.objects.create(
        user_id=request.user.pk or 0,
        content_type=ContentType.objects.get_for_model(row, for_concrete_model=False),
        object_id=str(row.pk if key is None else key),
        object_repr=(name or str(row))[:NAME_CHARACTERS],
        action_flag=flag,
        change_message=message,
    )
