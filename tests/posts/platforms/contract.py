"""The kit's contract, under the name that the tests of this repository import."""

from __future__ import annotations

from posts.publishing.testing.contract import (
    KEY,
    KEYED_AT,
    MemoryCheckpoints,
    PlatformContract,
    an_http,
    closed_port,
    content,
    picture,
    refused,
    video,
)

__all__ = [
    "KEY",
    "KEYED_AT",
    "MemoryCheckpoints",
    "PlatformContract",
    "an_http",
    "closed_port",
    "content",
    "picture",
    "refused",
    "video",
]
