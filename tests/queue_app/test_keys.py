"""Keys of programs: what is kept of them, whom they let in, how often their use is written down."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.db import IntegrityError

from queue_app import clock, keys
from queue_app.database import atomic
from queue_app.models import ApiKey

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def found(secret: str) -> ApiKey | None:
    return keys.find_key(f"Bearer {secret}")


def test_a_key_is_found_and_kept_nowhere(ada: User) -> None:
    key, secret = keys.create_key(ada, name="  My   script ", scopes=["read"])
    assert found(secret) == key
    assert (key.name, key.scopes, secret[:16]) == ("My script", ["read"], f"sq_{key.prefix}_")
    kept = serializers.serialize("json", ApiKey.objects.all())
    assert secret not in kept
    assert secret[16:] not in kept


def test_two_keys_have_nothing_in_common(ada: User) -> None:
    secrets = [keys.create_key(ada, name="x", scopes=["read"])[1] for _each in range(20)]
    assert len({secret[3:15] for secret in secrets}) == len({secret[16:] for secret in secrets}) == 20


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer \0", "Basic x", "Bearer sq_0123456789ab_" + "a" * 43]
)
def test_what_is_no_key_finds_none(ada: User, header: str) -> None:
    keys.create_key(ada, name="x", scopes=["read"])
    assert keys.find_key(header) is None


def test_the_beginning_alone_lets_nobody_in(ada: User) -> None:
    key, secret = keys.create_key(ada, name="x", scopes=["read"])
    _other, other_secret = keys.create_key(ada, name="y", scopes=["read"])
    assert found(f"sq_{key.prefix}_{other_secret[16:]}") is None
    assert found(secret) == key


def test_a_revoked_key_an_ended_one_and_one_of_a_person_who_left_find_none(ada: User) -> None:
    key, secret = keys.create_key(ada, name="x", scopes=["read"])
    assert keys.revoke_key(key)
    assert not keys.revoke_key(key)
    assert found(secret) is None
    assert keys.state_of(key, clock.now()) == "revoked"
    key, secret = keys.create_key(ada, name="x", scopes=["read"], expires_at=clock.now() + timedelta(seconds=60))
    ApiKey.objects.filter(pk=key.pk).update(expires_at=clock.now())
    assert found(secret) is None
    key, secret = keys.create_key(ada, name="x", scopes=["read"])
    User.objects.update(is_active=False)
    assert found(secret) is None


def test_use_is_written_down_at_most_once_a_minute(ada: User) -> None:
    key, secret = keys.create_key(ada, name="x", scopes=["read"])
    assert key.last_used_at is None
    first = found(secret)
    assert first is not None
    written = ApiKey.objects.get().last_used_at
    assert written is not None
    assert found(secret) is not None
    assert ApiKey.objects.get().last_used_at == written
    earlier = written - timedelta(seconds=61)
    ApiKey.objects.update(last_used_at=earlier)
    assert found(secret) is not None
    assert ApiKey.objects.get().last_used_at > earlier


def test_a_beginning_is_taken_once(ada: User) -> None:
    keys.create_key(ada, name="x", scopes=["read"], prefix="0123456789ab")
    with pytest.raises(IntegrityError), atomic():
        keys.create_key(ada, name="x", scopes=["read"], prefix="0123456789ab")


@pytest.mark.parametrize("wrong", [{"name": " "}, {"name": "x" * 101}, {"scopes": []}, {"scopes": ["all"]}])
def test_wrong_ones_are_refused_in_words(ada: User, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="key"):
        keys.create_key(ada, **{"name": "x", "scopes": ["read"], **wrong})  # type: ignore[arg-type]  # wrong ones
    with pytest.raises(ValueError, match="future"):
        keys.create_key(ada, name="x", scopes=["read"], expires_at=clock.now())


def test_people_see_their_own_or_all_with_the_permission(ada: User) -> None:
    key, _secret = keys.create_key(ada, name="x", scopes=["read"])
    assert list(keys.visible_keys(ada)) == [key]
    assert list(keys.visible_keys(User.objects.create_user("bob"))) == []
    assert list(keys.visible_keys(User.objects.create_superuser("boss"))) == [key]
