"""The async twins: ``await aenqueue(...)`` does what ``enqueue(...)`` does, in Django's thread for synchronous code.

As everywhere in Django a transaction does not reach across an ``await``: a twin commits what it does. Work that
belongs in one transaction goes into one synchronous function, called by ``sync_to_async``. ``subscribe`` has its own
twin, and ``dead_letters`` needs none: its QuerySet is read by ``async for``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async

from queue_app.api import adding, dead, leases, lookup, many, operations, results, statuses
from queue_app.health import health
from queue_app.limits import remaining
from queue_app.pauses import pause, paused, resume, stop_everything
from queue_app.selectors import all_jobs, failed_jobs, is_running, pending, queue_length, running_count
from queue_app.stats import counts, statistics

P = ParamSpec("P")
R = TypeVar("R")


def twin(function: Callable[P, R], called: str = "") -> Callable[P, Coroutine[Any, Any, R]]:
    """Return the async twin of ``function``: the same arguments, answer and errors. ``called`` is its public name."""
    name = called or function.__name__
    call = sync_to_async(function, thread_sensitive=True)

    @wraps(function)
    async def awaited(*args: P.args, **kwargs: P.kwargs) -> R:
        return await call(*args, **kwargs)

    awaited.__name__ = awaited.__qualname__ = f"a{name}"
    awaited.__doc__ = f"Async twin of ``{name}``. {function.__doc__}"
    return awaited


aenqueue = twin(adding.enqueue)
aenqueue_many = twin(adding.enqueue_many)

aget = twin(lookup.get)
aget_status = twin(lookup.get_status)
aset_status = twin(statuses.set_status)

acancel = twin(operations.cancel)
ahold = twin(operations.hold)
arelease = twin(operations.release)
aretry = twin(operations.retry)
adiscard = twin(operations.discard)
areschedule = twin(operations.reschedule)
areprioritise = twin(operations.reprioritise)
acheck_again = twin(operations.check_again)
acomplete_uncertain = twin(operations.complete_uncertain)
amay_have_taken_effect = twin(operations.may_have_taken_effect)

adequeue = twin(leases.dequeue)
alease_of = twin(leases.lease_of)
aextend = twin(leases.extend)
acomplete = twin(leases.complete)
afail = twin(leases.fail)

asave_result = twin(results.save_result)
aget_result = twin(results.get_result)

aclear = twin(many.clear)
arelease_running = twin(many.release_running)
aclean_up = twin(many.clean_up)
arecover_stale = twin(many.recover_stale)
aretry_many = twin(dead.retry_many)
aretry_all = twin(dead.retry_all)
adiscard_many = twin(dead.discard_many)
adiscard_all = twin(dead.discard_all)

apending = twin(pending)
aall_jobs = twin(all_jobs)
afailed_jobs = twin(failed_jobs)
aqueue_length = twin(queue_length)
arunning_count = twin(running_count)
ais_running = twin(is_running)
astats = twin(counts, "stats")
astatistics = twin(statistics)
ahealth = twin(health)

apause = twin(pause)
apaused = twin(paused)
aresume = twin(resume)
astop_everything = twin(stop_everything)
aremaining = twin(remaining)
aexplain = twin(lookup.explain)
