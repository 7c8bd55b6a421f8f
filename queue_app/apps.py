"""The queue's Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class QueueAppConfig(AppConfig):
    """Registers the queue's own job types and finds those of every installed app in its ``jobs.py``."""

    name = "queue_app"
    label = "queue_app"
    verbose_name = _("Queue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every app's ``jobs`` module, so that all processes know the same job types; register the checks.

        New connections to the queue's database are told what they need.
        """
        from queue_app import checks, connecting  # noqa: F401 -- the checks are registered by being imported

        connection_created.connect(connecting.limit_idle_transactions)
        autodiscover_modules("jobs")
