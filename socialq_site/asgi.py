"""The entry point for ASGI servers."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from queue_app import listeners

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "socialq_site.settings")

application = get_asgi_application()
listeners.end_on_sigterm()
