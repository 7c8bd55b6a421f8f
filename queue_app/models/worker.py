"""The worker processes of clusters."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Worker(models.Model):
    """One worker process of a cluster. ``host`` names the machine and its process namespace; ``start_ticks`` is the
    process's start time in the kernel's ticks, so that a reused pid is not taken for it."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    cluster = models.CharField(_("cluster"), max_length=36, db_index=True)
    queues = models.JSONField(_("queues"), default=dict, help_text=_("Each queue that it serves, with its weight."))
    host = models.CharField(_("host"), max_length=200)
    pid = models.PositiveIntegerField(_("process id"))
    start_ticks = models.CharField(_("process start"), max_length=40)
    version = models.CharField(_("version"), max_length=40)
    types = models.JSONField(_("job types it knows"), default=list)
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"), db_index=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    clock_skew_seconds = models.FloatField(
        _("clock skew"), default=0.0, help_text=_("By how many seconds its host's clock is ahead of the queue's.")
    )

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.name

    @property
    def machine(self) -> str:
        """The machine without its process namespace."""
        return self.host.partition("/")[0]
