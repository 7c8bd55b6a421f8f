"""What is counted to keep programs within bounds."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Tally(models.Model):
    """How often ``key`` was ``used`` in the window that ends at ``ends_at``: one row a key, begun anew after that."""

    key = models.CharField(max_length=100, primary_key=True)
    used = models.PositiveIntegerField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(used__gte=1), name="queue_app_tally_used")]

    def __str__(self) -> str:
        return self.key
