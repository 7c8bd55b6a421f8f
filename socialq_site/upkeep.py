"""What of the site itself grows old, beside what its apps look after: sessions that are over."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module

from django.conf import settings

from queue_app.purge import housekeeping


@housekeeping
def forget_sessions(_now: datetime) -> int:
    """Delete sessions that are over, as ``clearsessions`` does; nobody says how many there were."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    return 0
