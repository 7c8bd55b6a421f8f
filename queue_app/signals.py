"""Django signals of what happens, one for each event's name. Owns the signals only: ``events.py`` sends them.

    from queue_app.signals import job_failed

    @receiver(job_failed)
    def on_failure(job_id, event, **kwargs): ...

    @receiver(signal_of("post.failed"))
    def on_failed_post(event, **kwargs): ...

A receiver gets ``job_id`` and ``event``, the mapping that ``events.subscribe()`` yields; the sender is ``Job``, and of
what other apps record, which has no job, ``Event``. It is called after the commit, in the process that made the change:
a worker, mostly, which waits for it. What it raises is logged and harms nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.dispatch import Signal

from queue_app.models import EventName

job_added = Signal(use_caching=True)
status_updated = Signal(use_caching=True)
job_completed = Signal(use_caching=True)
job_failed = Signal(use_caching=True)
job_cancelled = Signal(use_caching=True)
# Whatever other apps record; ``signal_of`` has one for each of its names.
event_recorded = Signal(use_caching=True)

BY_NAME: Mapping[str, Signal] = {
    EventName.ADDED.value: job_added,
    EventName.UPDATED.value: status_updated,
    EventName.COMPLETED.value: job_completed,
    EventName.FAILED.value: job_failed,
    EventName.CANCELLED.value: job_cancelled,
}

_recorded: dict[str, Signal] = {}


def signal_of(name: str) -> Signal:
    """Return the signal of the events called ``name``, such as ``job_failed`` or ``post.failed``."""
    return BY_NAME.get(name) or _recorded.setdefault(name, Signal(use_caching=True))
