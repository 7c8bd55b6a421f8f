"""The site's settings with the benchmarks' app, and a second cluster of django-q2's own called ``stock``."""

from __future__ import annotations

from socialq_site.settings import *  # noqa: F403
from socialq_site.settings import INSTALLED_APPS as _SITE_APPS
from socialq_site.settings import Q_CLUSTER as _SITE_CLUSTER

INSTALLED_APPS = [*_SITE_APPS, "benchmarks.host"]
Q_CLUSTER = {**_SITE_CLUSTER, "ALT_CLUSTERS": {"stock": {"workers": 4}}}
