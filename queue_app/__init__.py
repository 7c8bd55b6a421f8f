"""A durable job queue for Django sites. ``from queue_app import job_type, api`` is what their own code needs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from queue_app.registry import job_type

__all__ = ["job_type"]


def __getattr__(name: str) -> Any:
    """Return ``job_type`` once it is asked for: it needs the models, and Django loads those after this package."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("queue_app.registry"), name)
