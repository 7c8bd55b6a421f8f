"""A folder of pictures whose disk is full after the first bytes of a file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage


@contextmanager
def no_room(code: int = errno.ENOSPC) -> Iterator[None]:
    """Let every file break off after ten bytes, with the error of that number."""

    def breaks_off(self: FileSystemStorage, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"the first ")
        raise OSError(code, os.strerror(code))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FileSystemStorage, "_save", breaks_off)
        yield
