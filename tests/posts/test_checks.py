from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group

from posts import checks
from posts.checks import check_storage


def test_a_folder_is_fine() -> None:
    assert check_storage(None) == []


@pytest.mark.parametrize(
    "storage",
    [
        {"BACKEND": "no_such_package.Storage"},
        {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"bucket": "files"}},
    ],
)
def test_a_storage_that_is_not_installed_is_found_before_the_first_upload(settings: Any, storage: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": storage}
    (found,) = check_storage(None)
    assert found.id == "posts.E001"
    assert "socialq[s3]" in str(found.hint)


def test_announced_objects_in_another_database_than_their_posts_are_found(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class GroupsElsewhere:
        def db_for_write(self, model: Any, **_hints: Any) -> str:
            return "other" if model is Group else "default"

    monkeypatch.setattr(checks, "followed_models", lambda: [Group])
    assert checks.check_followed_models(None) == []
    settings.DATABASE_ROUTERS = [GroupsElsewhere()]
    (found,) = checks.check_followed_models(None)
    assert found.id == "posts.E002"
    assert "auth.Group" in found.msg
