from __future__ import annotations

from typing import Any

import pytest

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
