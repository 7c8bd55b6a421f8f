"""The addresses of a site with a second admin: the same models with nothing but Django's own lists, as many columns."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.urls import include, path

LONG = (models.TextField, models.JSONField, models.FileField)


class StockSite(admin.AdminSite):
    """Django's own lists, in the frame that every page of this site has, whose links lead to the real admin."""

    @property
    def urls(self) -> Any:
        """Return the addresses under a name of their own, so that ``admin:`` stays the real one."""
        return self.get_urls(), "stock", self.name


STOCK = StockSite(name="stock")


def _plain(model: type[models.Model], columns: int) -> type[admin.ModelAdmin[Any]]:
    fields = [field.name for field in model._meta.fields if not isinstance(field, LONG)]
    return type("Plain", (admin.ModelAdmin,), {"list_display": fields[:columns], "list_select_related": True})


for _model, _ours in admin.site._registry.items():  # noqa: SLF001 - Django has no other list of them
    STOCK.register(_model, _plain(_model, len(_ours.list_display)))

urlpatterns = [path("stock/", STOCK.urls), path("", include("socialq_site.urls"))]
