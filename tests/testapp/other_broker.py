"""The test app's settings on a host whose own tasks go through Redis."""

from __future__ import annotations

from tests.testapp.settings import *  # noqa: F403

Q_CLUSTER = {"name": "host", "redis": {"host": "127.0.0.1", "port": 1}, "timeout": 60, "retry": 90}
