"""What the queue's job list shows and asks about publishing: which post, which account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from posts.admin.filters import DeliveryAccountFilter, DeliveryPlatformFilter
from posts.models import Delivery
from queue_app.admin.others import add_job_filter, add_job_names
from queue_app.models import Job


@add_job_names
def names_of_deliveries(jobs: Sequence[Job]) -> dict[int, str]:
    """Return what is published where, by the id of its job."""
    found = Delivery.objects.filter(job__in=[job.pk for job in jobs]).select_related("post", "account")
    words = _("“%(post)s” on %(account)s")
    return {row.job_id: words % {"post": row.post, "account": row.account} for row in found if row.job_id is not None}


@add_job_filter
class JobAccountFilter(DeliveryAccountFilter):
    """Jobs that publish on an account."""

    parameter_name = "account"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the jobs of deliveries on the account."""
        return _publishing(queryset, self.condition()) if self.value() else queryset


@add_job_filter
class JobPlatformFilter(DeliveryPlatformFilter):
    """Jobs that publish on a platform."""

    parameter_name = "platform"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the jobs of deliveries on the platform."""
        return _publishing(queryset, self.condition()) if self.value() else queryset


def _publishing(jobs: QuerySet[Any], condition: Q) -> QuerySet[Any]:
    return jobs.filter(pk__in=Delivery.objects.filter(condition, job__isnull=False).values("job"))
