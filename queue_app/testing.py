"""For the tests of a site: jobs that are due run in the test's own process, without a cluster.

Use it in a ``TransactionTestCase`` (pytest-django: ``django_db(transaction=True)``): jobs commit, as in a worker.
"""

from __future__ import annotations

from queue_app import runner
from queue_app.cluster import DEFAULT_QUEUE

NAME = "tests"


def run_due_jobs(queue: str = DEFAULT_QUEUE) -> int:
    """Run what is due in the queues that ``queue`` names, and what becomes due by that; return how many jobs ran.

    A job that fails fails as it would in a worker: nothing is raised, look at the job. Periodic jobs begin with a
    cluster, so there are none unless the test enqueues them.
    """
    # The database of the last test is gone, and this process's row in it.
    runner.forget_worker()
    ran = 0
    while more := runner.run_due(queue, NAME):
        ran += more
    return ran
