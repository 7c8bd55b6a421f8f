"""The tests. What they share: ``conftest`` (fixtures), ``site`` (a whole site in a folder), ``postgres`` (a server)."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

STRICT = "TESTS_MUST_NOT_SKIP"


def unavailable(what: str) -> NoReturn:
    """Skip the test for want of ``what``; fail it where ``TESTS_MUST_NOT_SKIP`` is set, as by ``.ci/run``."""
    if os.environ.get(STRICT):
        pytest.fail(f"{what}, and {STRICT} is set", pytrace=False)
    pytest.skip(what)
