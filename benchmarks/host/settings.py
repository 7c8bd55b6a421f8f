"""The site's settings with the benchmarks' app."""

from __future__ import annotations

from socialq_site.settings import *  # noqa: F403
from socialq_site.settings import INSTALLED_APPS as _SITE_APPS

INSTALLED_APPS = [*_SITE_APPS, "benchmarks.host"]
