"""The job that does one part of what a person asked for on very many posts or deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from posts.services import bulk
from queue_app import mass
from queue_app.context import JobContext
from queue_app.registry import job_type
from queue_app.retry import RetryPolicy


@job_type(
    bulk.BULK_OPERATION,
    priority=1,  # what is to be cancelled must not go out first
    limits="1/s",  # other workers stay free for what people queued
    retry=RetryPolicy.fixed(max_attempts=5, delay_seconds=10),
    timeout_seconds=600,
    describe=mass.describe,
    internal=True,
)
def bulk_operation(
    context: JobContext,
    operation: str,
    actor: str,
    asked_at: str,
    answers: dict[str, Any],
    job_ids: list[int],
    first: int,
) -> dict[str, Any]:
    """Do one part of it; return how many rows it did and which it left alone."""
    order = mass.Order(operation, actor, datetime.fromisoformat(asked_at), answers)
    return bulk.carry_out(order, job_ids, first).as_result()
