"""What people in tests may do."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Permission, User


def allow(user: User, labels: Iterable[str]) -> User:
    """Give ``user`` these permissions ("app.codename"); return them as they are read anew."""
    wanted = {tuple(label.split(".")) for label in labels}
    named = Permission.objects.filter(codename__in=[codename for _, codename in wanted])
    known = {(app, name): pk for app, name, pk in named.values_list("content_type__app_label", "codename", "pk")}
    user.user_permissions.add(*(known[label] for label in wanted))
    return User.objects.get(pk=user.pk)
