"""The test app's settings with workers that are recycled after every task, and tasks that may take a second."""

from __future__ import annotations

from tests.testapp.settings import *  # noqa: F403
from tests.testapp.settings import Q_CLUSTER as _SITE_CLUSTER

Q_CLUSTER = {**_SITE_CLUSTER, "recycle": 1, "timeout": 1, "retry": 3600, "ack_failures": True}
