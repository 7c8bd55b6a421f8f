"""The entry point for WSGI servers."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from queue_app import listeners

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "socialq_site.settings")

application = get_wsgi_application()
listeners.end_on_sigterm()
