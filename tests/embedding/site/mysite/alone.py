"""The queue without posts: its own job type, the stock admin."""

from mysite.settings import *  # noqa: F403
from mysite.settings import INSTALLED_APPS as WITH_POSTS

INSTALLED_APPS = ["reports", *(app for app in WITH_POSTS if app not in ("posts", "newsroom"))]
ROOT_URLCONF = "reports.urls"
