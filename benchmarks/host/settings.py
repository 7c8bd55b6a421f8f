"""A site with the queue and nothing else, on the databases and with the queue's settings of the site here."""

from __future__ import annotations

from socialq_site.settings import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "queue_app",
    "django_q",
    "benchmarks.host",
]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "benchmarks.host.urls"
