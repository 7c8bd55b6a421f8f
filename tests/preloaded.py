"""What the process has that ``tests.forks`` forks from: Django, set up with the test app. Connects to no database."""

from __future__ import annotations

import gc
import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.testapp.settings"
django.setup()
gc.freeze()  # what a fork's collector touches is copied
