from __future__ import annotations

from django.apps import AppConfig


class TestAppConfig(AppConfig):
    name = "tests.testapp"
    label = "testapp"

    def ready(self) -> None:
        """Have a job that its alarm did not stop killed after one second instead of thirty."""
        from queue_app import claims

        claims.LEASE_GRACE_SECONDS = 1.0
