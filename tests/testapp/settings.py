"""The site's settings with the test app installed; for ``Site.env["DJANGO_SETTINGS_MODULE"]``."""

from __future__ import annotations

from socialq_site.settings import *  # noqa: F403
from socialq_site.settings import INSTALLED_APPS as _SITE_APPS

INSTALLED_APPS = [*_SITE_APPS, "tests.testapp"]
