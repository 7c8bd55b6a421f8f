"""The queue's tables: fields and constraints only."""

from queue_app.models.answer import IdempotentAnswer
from queue_app.models.api_key import ApiKey
from queue_app.models.gates import Block, BlockKind, Breaker, Limit, LimitUse, MaintenanceWindow
from queue_app.models.history import Attempt, AttemptOutcome, Event, EventName
from queue_app.models.job import PRIORITY_FIRST, PRIORITY_LAST, Job
from queue_app.models.notice import Notice, NoticeChoice, NoticeDelivery
from queue_app.models.tally import Tally
from queue_app.models.total import Total, TotalName
from queue_app.models.worker import Worker

__all__ = [
    "PRIORITY_FIRST",
    "PRIORITY_LAST",
    "ApiKey",
    "Attempt",
    "AttemptOutcome",
    "Block",
    "BlockKind",
    "Breaker",
    "Event",
    "EventName",
    "IdempotentAnswer",
    "Job",
    "Limit",
    "LimitUse",
    "MaintenanceWindow",
    "Notice",
    "NoticeChoice",
    "NoticeDelivery",
    "Tally",
    "Total",
    "TotalName",
    "Worker",
]
