"""Pauses placed by people: everything, a queue, a job type or any other key; and the emergency stop.

Owns what a key and a pause's end may be. It changes no job: what a pause means for them is in ``blocks`` and in the
mark. Nothing here undoes a step that has begun; the stop says which those are.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import datetime

from queue_app import blocks, clock, given, registry
from queue_app.blocks import EVERYTHING
from queue_app.database import atomic
from queue_app.models import Block, BlockKind, Job
from queue_app.states import JobState

logger = logging.getLogger("socialq.queue")

FARTHEST_YEARS = 10
KEY_CHARACTERS = 200
_KIND_AND_NAME = re.compile(r"[^\s:]+:\S(.*\S)?")


@dataclass(frozen=True, slots=True)
class Stop:
    """What the emergency stop met: the jobs that were running when it committed, the queue's own housekeeping aside."""

    block: Block
    running: tuple[Job, ...]

    @property
    def begun(self) -> tuple[Job, ...]:
        """The jobs that had begun their irreversible step: they go on. No other job begins it after the stop."""
        return tuple(job for job in self.running if job.marked_at is not None)


def check_key(key: object) -> str:
    """Return ``key`` if something can be paused by it: "all", or a kind and a name. Raises ValueError."""
    if not isinstance(key, str) or not (key == EVERYTHING or (_KIND_AND_NAME.fullmatch(key) and key.isprintable())):
        raise ValueError("A key is “all”, or a kind and a name such as account:7.")
    if len(key) > KEY_CHARACTERS:
        raise ValueError(f"A key has at most {KEY_CHARACTERS} characters, this one has {len(key)}.")
    return key


def check_until(until: object, now: datetime) -> datetime | None:
    """Return ``until`` if a pause can end then: an aware time to come, or ``None`` for no end. Raises ValueError."""
    if until is None:
        return None
    if not isinstance(until, datetime) or until.tzinfo is None:
        raise ValueError("This time has no time zone: give an aware one.")
    if until <= now:
        raise ValueError("This time is over: choose one to come, or leave it empty.")
    if until.year > now.year + FARTHEST_YEARS:
        raise ValueError("This is too far ahead: leave it empty to pause until somebody lifts it.")
    return until


def pause(key: str, *, reason: str = "", until: datetime | None = None, actor: str = "") -> Block:
    """Keep every job under ``key`` from running, until ``until`` or ``resume``; replaces an earlier pause of the key.

    Once this has committed, no job under the key starts its irreversible step. Raises ValueError for what is no key
    and for an end that is naive or over.
    """
    now = clock.now()
    check_key(key)
    check_until(until, now)
    reason, actor = given.text("the reason", reason), given.actor(actor)
    with atomic():
        block = blocks.place(key, BlockKind.PAUSE, now=now, reason=reason, until=until, actor=actor)
    logger.info("paused key=%s until=%s actor=%s", key, until, actor)
    return block


def stop_everything(*, reason: str = "", until: datetime | None = None, actor: str = "") -> Stop:
    """Pause everything and say what was running at that moment; ``resume("all")`` ends it.

    Raises ValueError for an end that is naive or over.
    """
    own = [name for name, job_type in registry.known().items() if job_type.internal]
    with atomic():
        block = pause(EVERYTHING, reason=reason, until=until, actor=actor)
        # Still under the lock that every mark takes: what is marked now is all that will ever have been.
        running = Job.objects.filter(state=JobState.RUNNING).exclude(type__in=own).order_by("id")
        stop = Stop(block, tuple(running))
    logger.warning("stopped everything running=%s begun=%s", len(stop.running), len(stop.begun))
    return stop


def resume(key: str, *, actor: str = "") -> int:
    """End the pause of ``key``; return how many jobs that waited were let go: in a transaction 0, they go after it.

    They go through the claim like any other, so limits hold. Does nothing where ``key`` is not paused. Raises
    ValueError for what is no key.
    """
    freed = blocks.lift(check_key(key), BlockKind.PAUSE)
    logger.info("resumed key=%s jobs=%s actor=%s", key, freed, actor)
    return freed


def paused() -> list[Block]:
    """Return the pauses that hold now, by key."""
    now = clock.now()
    pauses = Block.objects.filter(kind=BlockKind.PAUSE).order_by("key")
    return [block for block in pauses if block.until is None or block.until > now]
