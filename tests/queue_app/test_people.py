"""People are found by the name of any user model, and by keys that an address writes."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import models

from queue_app.people import admin_addresses, key_of_person, person_called


@pytest.mark.django_db
def test_a_person_is_found_by_the_name_that_they_sign_in_with(monkeypatch: pytest.MonkeyPatch) -> None:
    users = get_user_model()
    ada = users.objects.create_user("ada", email="ada@example.org")
    assert person_called("ada") == ada
    monkeypatch.setattr(users, "USERNAME_FIELD", "email")
    assert person_called("ada@example.org") == ada
    assert person_called("ada") is None


@pytest.mark.parametrize(
    ("field", "text", "key"),
    [
        (models.BigAutoField(), "12", 12),
        (models.BigAutoField(), "9" * 30, None),
        (models.BigAutoField(), "nonsense", None),
        (models.UUIDField(), "7f1c6f0e-0000-4000-8000-000000000000", uuid.UUID("7f1c6f0e-0000-4000-8000-000000000000")),
        (models.UUIDField(), "nonsense", None),
        (models.CharField(), "ada", "ada"),
    ],
)
def test_a_key_in_an_address_is_that_of_the_user_model_or_nonsense(
    field: Any, text: str, key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_user_model()._meta, "pk", field)
    assert key_of_person(text) == key


def test_admins_are_pairs_or_addresses(settings: Any) -> None:
    settings.ADMINS = [("Ada", "ada@example.org")]
    assert admin_addresses() == ["ada@example.org"]
    settings.ADMINS = ["grace@example.org"]
    assert admin_addresses() == ["grace@example.org"]
