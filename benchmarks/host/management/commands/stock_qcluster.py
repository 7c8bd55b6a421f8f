"""django-q2's own qcluster, which queue_app's command of that name hides."""

from __future__ import annotations

from django_q.management.commands.qcluster import Command

__all__ = ["Command"]
