"""The command that makes an API key."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from queue_app import keys
from queue_app.models import ApiKey

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_api_key", *arguments, stdout=out)
    return out.getvalue()


def test_prints_a_key_that_works_and_nothing_else() -> None:
    ada = User.objects.create_user("ada")
    said = create("ada", "--scope", "read", "--name", "Reports", "--days", "30")
    key = keys.find_key(f"Bearer {said.strip()}")
    assert key is not None
    assert (key.user, key.name, key.scopes) == (ada, "Reports", ["read"])
    assert key.expires_at is not None
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["bob", "--name", "x"], "no user “bob”"),
        (["ada", "--name", " "], "needs a name"),
        (["ada", "--name", "x", "--scope", "everything"], "no scope “everything”"),
        (["ada", "--name", "x", "--days", "-1"], "--days"),
        (["left", "--name", "x"], "may not sign in"),
    ],
)
def test_says_in_one_line_what_is_wrong(arguments: list[str], why: str) -> None:
    User.objects.create_user("ada")
    User.objects.create_user("left", is_active=False)
    with pytest.raises(CommandError, match=why):
        create(*arguments)
    assert not ApiKey.objects.exists()
