"""The site as Germans see it, with numbers as they write them."""

from mysite.settings import *  # noqa: F403
from mysite.settings import MIDDLEWARE as IN_ENGLISH

LANGUAGE_CODE = "de"
TIME_ZONE = "Europe/Berlin"
USE_THOUSAND_SEPARATOR = True
MIDDLEWARE = [*IN_ENGLISH, "django.middleware.locale.LocaleMiddleware"]
