"""The site's Django admin: the stock one, without django-q2's pages, where whoever may add a schedule runs any code."""

from __future__ import annotations

from django.apps import apps
from django.contrib.admin.apps import AdminConfig


class SiteAdminConfig(AdminConfig):
    """Stands in INSTALLED_APPS in the place of ``django.contrib.admin``."""

    default = False

    def ready(self) -> None:
        """Let every app register its pages, then take django-q2's away; see to the site's own housekeeping."""
        super().ready()
        from django.contrib import admin

        from socialq_site import upkeep  # noqa: F401 -- registered by being imported

        for model in apps.get_app_config("django_q").get_models():
            if admin.site.is_registered(model):
                admin.site.unregister(model)
