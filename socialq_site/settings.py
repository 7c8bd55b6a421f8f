"""The site's settings, from the environment; ``.env.example`` explains every name.

The apps' own settings are the tables in ``queue_app.conf`` and ``posts.conf``; here they are only read into
``SOCIALQ``. No logic of the apps belongs here.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured

from posts import conf as posts_conf
from posts.publishing import registry
from queue_app import conf as queue_conf
from socialq_site import environment

BASE_DIR = environment.ROOT
VAR_DIR = environment.var_dir(os.environ)
_files = (BASE_DIR / (os.environ.get("ENV_FILE") or ".env"), VAR_DIR / environment.SECRETS_FILE)
_values = environment.read_secret_files(environment.load(environment.read_secret_files(os.environ), *_files))

SECRET_KEY = _values.get("SECRET_KEY", "")
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set; set it, or run python -m socialq_site.bootstrap to make one")

PORT = environment.number("PORT", _values.get("PORT") or "8000", int, "a port number")
SITE_URL = environment.site_url(_values.get("SITE_URL") or f"http://127.0.0.1:{PORT}")
_platform_settings = {
    name: [*posts_conf.APP_SETTINGS, *(field.name.upper() for field in platform.app_settings)]
    for name, platform in registry.platforms().items()
}
_s3 = {"s3": list(environment.S3_OPTIONS)}
_wrong_passwords = "SOCIALQ_LOGIN_WRONG_PASSWORDS"
SOCIALQ: dict[str, Any] = {
    **environment.read_tables(
        _values,
        queue_conf.SETTINGS,
        posts_conf.SETTINGS,
        others=["SOCIALQ_ADMIN_PASSWORD", _wrong_passwords, *environment.platform_names({**_platform_settings, **_s3})],
    ),
    "PLATFORMS": environment.read_platforms(_values, _platform_settings),
    "SITE_URL": SITE_URL,
}
# For first_run alone; never shown.
ADMIN_PASSWORD = _values.get("SOCIALQ_ADMIN_PASSWORD", "")

# --- Who may reach the site, and how -------------------------------------------------------------------------------
_https = SITE_URL.startswith("https://")
_site_host = urlsplit(SITE_URL).hostname or ""
DEBUG = False
ALLOWED_HOSTS = environment.words(_values.get("ALLOWED_HOSTS", "")) or ["127.0.0.1", "localhost", "[::1]", _site_host]
CSRF_TRUSTED_ORIGINS = [SITE_URL]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = ["^health$", "^ready$", "^metrics$"]  # probes speak plain HTTP, and take a redirect for a yes
# gunicorn speaks plain HTTP, so an https site stands behind a proxy, which must set this header itself.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if _https else 0
# HSTS for subdomains and for browsers' preload lists is the domain owner's to promise, not this site's.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- The parts -----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "queue_app",  # before django_q, whose qcluster command it replaces
    "django_q",
    "django_htmx",  # the htmx file that live pages load
    "posts",
    "socialq_site.apps.SiteAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "ninja",  # the files of the page that describes the API
]
MIDDLEWARE = [
    "queue_app.middleware.MonitorsMiddleware",  # first: probes know no name of the site
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "queue_app.middleware.DatabaseAwayMiddleware",
    "axes.middleware.AxesMiddleware",  # last, as it asks
]
ROOT_URLCONF = "socialq_site.urls"
WSGI_APPLICATION = "socialq_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LOGIN_URL = "admin:login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# After ten wrong passwords for a name from an address, no process looks at more of them for a quarter of an hour. By
# both together, so that nobody can lock the administrator out from elsewhere; after many more from an address, whatever
# the names, at none from there.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "queue_app.callers.address_of"
AXES_HANDLER = "socialq_site.lockout.Handler"
AXES_LOCKOUT_CALLABLE = "socialq_site.lockout.answer"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
LOGIN_WRONG_PASSWORDS = environment.number(
    _wrong_passwords, _values.get(_wrong_passwords) or "100", int, "a whole number, 0 or more"
)

# --- Where things are kept -----------------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": environment.database(_values.get("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'socialq.sqlite3'}", BASE_DIR)
}
_folders = [VAR_DIR, VAR_DIR / "media", VAR_DIR / "static"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    _folders.append(Path(DATABASES["default"]["NAME"]).parent)
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON",
    }
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
# So that an ordinary async_task goes to the same database and wakes a cluster; sizes and limits are SOCIALQ's.
Q_CLUSTER = {
    "name": "socialq",
    "orm": "default",
    "broker_class": "queue_app.broker.JobBroker",
    "timeout": 300,
    "retry": 360,
}
STORAGES = environment.storages(environment.read_platforms(_values, _s3).get("s3", {}))
MEDIA_ROOT = VAR_DIR / "media"
MEDIA_URL = "media/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_URL = "static/"
# Served from the apps' own folders, so that nothing breaks where collectstatic never ran.
WHITENOISE_USE_FINDERS = True

try:
    for _folder in _folders:
        _folder.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as _error:
    raise ImproperlyConfigured(
        f"{_error.filename} cannot be made ({_error.strerror}); "
        "set VAR_DIR, or the path in DATABASE_URL, to a folder that can be written"
    ) from None

# --- Language, time, mail ------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = _values.get("TIME_ZONE") or "UTC"
if TIME_ZONE not in available_timezones():
    raise environment.wrong("TIME_ZONE", TIME_ZONE, "a zone name like Europe/Berlin")
_email = environment.email(_values.get("EMAIL_URL") or "consolemail://")
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_HOST = _email["EMAIL_HOST"] or "localhost"
EMAIL_PORT = _email["EMAIL_PORT"] or 25
EMAIL_HOST_USER = _email["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = _email.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _email.get("EMAIL_USE_SSL", False)
EMAIL_FILE_PATH = _email["EMAIL_FILE_PATH"] or None
EMAIL_TIMEOUT = 30
ADMINS = environment.people("ADMINS", _values.get("ADMINS", ""))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = _values.get("DEFAULT_FROM_EMAIL") or "socialq@localhost"

# --- Logs: one line an event, to the console. No mails with tracebacks: they would hold cookies and settings. -------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"fields": {"()": "socialq_site.logs.FieldsFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "fields"}},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "axes": {"level": "ERROR"},  # a line for each wrong password; socialq_site.lockout says when one is locked out
        "django-q": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "socialq": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
}
