"""The queue's pages in the admin: jobs, errors, workers, blocks, windows, notices. Parse, call, render; no logic."""

from queue_app.admin.attempt import AttemptAdmin
from queue_app.admin.block import BlockAdmin
from queue_app.admin.job import JobAdmin
from queue_app.admin.notice import NoticeAdmin
from queue_app.admin.window import WindowAdmin
from queue_app.admin.worker import WorkerAdmin

__all__ = ["AttemptAdmin", "BlockAdmin", "JobAdmin", "NoticeAdmin", "WindowAdmin", "WorkerAdmin"]
