"""Every network's fake and how an account on it is connected, taken from the networks' own tests."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from posts.publishing import registry
from tests.posts.platforms.contract import PlatformContract

BUILT_IN = "outbox"
NOBODY = SimpleNamespace(name="")


def network_names() -> list[str]:
    """Return the names of all platforms that a fake stands for."""
    return [name for name in registry.platforms() if name != BUILT_IN]


def contract_of(name: str) -> PlatformContract:
    """Return the test of one platform, which knows its fake, its login and what a post there must have."""
    module = importlib.import_module(f"tests.posts.platforms.test_{name}")
    found = [
        value for value in vars(module).values() if inspect.isclass(value) and hasattr(value, "check_text_request")
    ]
    return next(value for value in found if getattr(value, "platform", NOBODY).name == name)()


@contextmanager
def served(contract: PlatformContract) -> Iterator[Any]:
    """Run the platform's fake until the block ends."""
    fixture: Any = type(contract).server
    generator = fixture._get_wrapped_function()(contract)
    try:
        yield next(generator)
    finally:
        generator.close()
