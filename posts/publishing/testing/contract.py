"""What every platform must do, asserted at the socket: the request first, then the typed result.

A platform's test inherits ``PlatformContract``, says how its fake is reached and adds its quirks. The checks lie in the
modules beside this one, by subject; each belongs to a rule in ``rules``.
"""

from __future__ import annotations

from posts.publishing.testing.ambiguity import AmbiguityChecks
from posts.publishing.testing.connecting import ConnectingChecks
from posts.publishing.testing.data import DataChecks
from posts.publishing.testing.faults import FaultChecks
from posts.publishing.testing.files import picture, video
from posts.publishing.testing.lookup import LookupChecks
from posts.publishing.testing.publishing import PublishingChecks
from posts.publishing.testing.resume import ResumeChecks
from posts.publishing.testing.secrets import SecretsChecks
from posts.publishing.testing.stand_ins import (
    KEY,
    KEYED_AT,
    MemoryCheckpoints,
    an_http,
    closed_port,
    content,
    refused,
)
from posts.publishing.testing.threads import ThreadChecks

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


class PlatformContract(
    ConnectingChecks,
    PublishingChecks,
    AmbiguityChecks,
    LookupChecks,
    FaultChecks,
    ResumeChecks,
    SecretsChecks,
    ThreadChecks,
    DataChecks,
):
    """All checks of the kit; see ``base.Hooks`` for what a test class sets."""
