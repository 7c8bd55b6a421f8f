"""People, whatever the site's user model is: by the name that they sign in with, by a key, by ADMINS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# As many digits as every database can hold.
_KEY_DIGITS = 18


def person_called(name: str) -> User | None:
    """Return the user who signs in as ``name`` (which may be an e-mail address), if there is one."""
    model = get_user_model()
    return model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()  # noqa: SLF001 -- Django's documented name


def admin_addresses() -> list[str]:
    """Return the addresses in ADMINS, which are pairs with a name or, since Django 6.0, only addresses."""
    admins: Sequence[Any] = settings.ADMINS
    return [each if isinstance(each, str) else each[1] for each in admins]


def key_of_person(text: str) -> Any:
    """Return the primary key of a user that ``text`` writes, a number or whatever it is here; ``None`` for nonsense."""
    if text.isdecimal() and len(text) > _KEY_DIGITS:
        return None
    try:
        return get_user_model()._meta.pk.to_python(text)
    except ValidationError:
        return None
