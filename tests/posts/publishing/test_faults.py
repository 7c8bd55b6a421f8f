"""Errors of the operating system are told in words."""

from __future__ import annotations

import errno

import httpcore2
import pytest

from posts.publishing.faults import said


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ENETUNREACH, errno.ECONNRESET, errno.EIO])
def test_no_number_is_told(number: int) -> None:
    text = said(OSError(number, "As the system calls it"))
    assert text
    assert "Errno" not in text


def test_what_a_library_wraps_is_told_as_what_it_is() -> None:
    wrapped = httpcore2.ConnectError("[Errno 111] Connection refused")
    wrapped.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert said(wrapped) == "nothing answers at that address and port"


def test_a_text_of_its_own_stays() -> None:
    assert said(ValueError("label too long")) == "label too long"
    assert said(OSError("[Errno -2] Name or service not known")) == "Name or service not known"
