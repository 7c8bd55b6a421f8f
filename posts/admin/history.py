"""The history page of the site: whoever may see everybody's posts sees what everybody did, too."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from posts.selectors.posts import SEE_ALL
from queue_app.admin import log

if SEE_ALL not in log.SEES_ALL:
    log.SEES_ALL.append(SEE_ALL)
# A host that shows the history in its own way keeps it.
if not admin.site.is_registered(LogEntry):
    admin.site.register(LogEntry, log.LogAdmin)
