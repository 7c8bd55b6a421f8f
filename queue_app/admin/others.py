"""What other apps add to the job list: they know what a job is about, the queue does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from django.contrib import admin

from queue_app.models import Job

Filter = TypeVar("Filter", bound=type[admin.SimpleListFilter])
Names = Callable[[Sequence[Job]], Mapping[int, str]]

_filters: list[type[admin.SimpleListFilter]] = []
_names: list[Names] = []


def add_job_filter(kind: Filter) -> Filter:
    """Show ``kind`` among the filters of the job list; called when an app's admin is read."""
    if kind not in _filters:
        _filters.append(kind)
    return kind


def add_job_names(names: Names) -> Names:
    """Let ``names`` say by id what a page of jobs is about, in as few queries as for one.

    It leaves out what it does not know.
    """
    if names not in _names:
        _names.append(names)
    return names


def job_filters() -> list[type[admin.SimpleListFilter]]:
    """Return the filters that other apps have added."""
    return list(_filters)


def names_of(jobs: Sequence[Job]) -> dict[int, str]:
    """Return by id what the apps know of these jobs."""
    return {job_id: name for names in _names for job_id, name in names(jobs).items()}
