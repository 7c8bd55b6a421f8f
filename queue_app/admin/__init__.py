"""The queue's pages in the admin: jobs, events, errors, workers, and what keeps jobs waiting. Parse, call, render."""

from django.apps import apps

# A host may do without the admin; its templates' tags are looked through all the same, and they import from here.
if apps.is_installed("django.contrib.admin"):
    from queue_app.admin import panels, switches
    from queue_app.admin.attempt import AttemptAdmin
    from queue_app.admin.block import BlockAdmin
    from queue_app.admin.breaker import BreakerAdmin
    from queue_app.admin.event import EventAdmin
    from queue_app.admin.job import JobAdmin
    from queue_app.admin.key import KeyAdmin
    from queue_app.admin.limit import LimitAdmin
    from queue_app.admin.notice import NoticeAdmin
    from queue_app.admin.window import WindowAdmin
    from queue_app.admin.worker import WorkerAdmin

__all__ = [
    "AttemptAdmin",
    "BlockAdmin",
    "BreakerAdmin",
    "EventAdmin",
    "JobAdmin",
    "KeyAdmin",
    "LimitAdmin",
    "NoticeAdmin",
    "WindowAdmin",
    "WorkerAdmin",
    "panels",
    "switches",
]
