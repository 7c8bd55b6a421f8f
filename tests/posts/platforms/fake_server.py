"""The kit's fake server, under the name that the fakes of this repository import."""

from __future__ import annotations

from posts.publishing.testing.server import DRIP_SECONDS, Answer, FakeServer, Fault, Seen, serve

__all__ = ["DRIP_SECONDS", "Answer", "FakeServer", "Fault", "Seen", "serve"]
