"""How Sphinx builds these pages: ``make docs``. What the reference says of the code is made by ``from_code.py``."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

import django

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "socialq_site.settings")
django.setup()

project = "SocialQ"
html_title = "SocialQ"
try:
    release = metadata.version("socialq")
except metadata.PackageNotFoundError:  # built from a checkout that is not installed
    release = ""

extensions = ["myst_parser", "sphinx.ext.autodoc", "from_code"]
exclude_patterns = ["_build"]
html_theme = "furo"

# Pages are read on GitHub, too: anchors are made as there, and a diagram is left to be drawn where it can be.
smartquotes = False
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_display_short_literal_types = True
