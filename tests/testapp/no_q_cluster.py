"""The test app's settings on a host that has no Q_CLUSTER at all."""

from __future__ import annotations

from tests.testapp.settings import *  # noqa: F403

del Q_CLUSTER  # noqa: F821 -- the site's
