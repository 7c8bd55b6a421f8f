"""Reads and checks the environment. Real variables win over ``.env``, which wins over ``var/secrets.env``.

Owns the words for wrong values; a secret's value never appears in them. What the values mean to the site is
decided in ``settings``, and nothing here may import it.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from email.utils import getaddresses
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from queue_app.conf import Setting

PREFIX = "SOCIALQ_"
FILE = "_FILE"
ROOT: Path = Path(__file__).resolve().parent.parent
SECRETS_FILE = "secrets.env"
# What may be in a file of its own, which the same name with _FILE behind it names.
SECRETS = (
    *("SECRET_KEY", "DATABASE_URL", "EMAIL_URL"),
    *("SOCIALQ_ENCRYPTION_KEYS", "SOCIALQ_ADMIN_PASSWORD", "SOCIALQ_METRICS_TOKEN"),
)
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
Number = TypeVar("Number", int, float)
# How often a connection asks a statement of PostgreSQL before its plan is kept: psycopg's usual number.
PREPARE_THRESHOLD = 5
S3_BACKEND = "storages.backends.s3.S3Storage"
# Our settings, and what django-storages calls them.
S3_OPTIONS: Mapping[str, str] = {
    "BUCKET": "bucket_name",
    "REGION": "region_name",
    "ENDPOINT": "endpoint_url",
    "ACCESS_KEY": "access_key",
    "SECRET_KEY": "secret_key",
}
# Names are random, so nothing is overwritten; what is read goes to the disk beyond a few megabytes; nothing is public.
S3_FIXED: Mapping[str, Any] = {"file_overwrite": True, "max_memory_size": 5_000_000, "default_acl": None}
ENV_LINE = re.compile(r"(export )?[A-Za-z_0-9]+=.*|#.*|")


def var_dir(variables: Mapping[str, str]) -> Path:
    """Return the folder of everything that the site writes: ``VAR_DIR``, else ``var`` beside the code."""
    return ROOT / (variables.get("VAR_DIR") or "var")


def load(variables: Mapping[str, str], *files: Path) -> dict[str, str]:
    """Return ``variables`` with what ``files`` add to them; the first that has a name wins.

    The process's own environment is left alone, so that no secret of a file is handed on to other programs.
    """

    class Reader(environ.Env):  # type: ignore[misc]  # the package has no types
        ENVIRON = dict(variables)

    for file in files:
        if not file.is_file():
            continue
        try:
            lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{file} cannot be read: {error}") from None
        for number, line in enumerate(lines, start=1):
            if not ENV_LINE.fullmatch(line):
                raise ImproperlyConfigured(f"{file}, line {number}: expected NAME=value or a # comment")
        Reader.read_env(io.StringIO("\n".join(lines)))
    values: dict[str, str] = Reader.ENVIRON
    return values


def read_tables(
    values: Mapping[str, str], *tables: Mapping[str, Setting], others: Collection[str] = ()
) -> dict[str, Any]:
    """Return every setting of ``tables``: from ``values`` where it is there and not empty, else its default.

    ``others`` are ``SOCIALQ_`` names that belong to no table. Raises ``ImproperlyConfigured`` for a name that nobody
    knows and for a value that does not fit its default's type.
    """
    known = {setting.env or PREFIX + key: (key, setting) for table in tables for key, setting in table.items()}
    unknown = sorted(name for name in values if name.startswith(PREFIX) and name not in known and name not in others)
    if unknown:
        raise ImproperlyConfigured(" ".join(_unknown(name, [*known, *others]) for name in unknown))
    result = {}
    for name, (key, setting) in known.items():
        text = values.get(name, "").strip()
        result[key] = _parse(name, text, setting) if text else setting.default
    return result


def platform_names(platforms: Mapping[str, Sequence[str]]) -> list[str]:
    """Return every variable that can set something of the platforms, whose settings are given by platform."""
    return [
        f"{PREFIX}{platform.upper()}_{setting}{ending}"
        for platform, settings in platforms.items()
        for setting in settings
        for ending in ("", FILE)
    ]


def read_platforms(values: Mapping[str, str], platforms: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Return what is set of each platform's settings; one with _FILE behind its name is the content of that file.

    Raises ``ImproperlyConfigured`` for both at once, a file that cannot be read, and an address that is none.
    """
    found: dict[str, dict[str, str]] = {}
    for platform, settings in platforms.items():
        for setting in settings:
            name = f"{PREFIX}{platform.upper()}_{setting}"
            text = _given_or_in_file(values, name)
            if text and setting.endswith("_BASE") and urlsplit(text).scheme not in ("http", "https"):
                raise wrong(name, text, "an address like https://api.example.org")
            if text:
                found.setdefault(platform, {})[setting] = text
    return found


def read_secret_files(values: Mapping[str, str]) -> dict[str, str]:
    """Return ``values`` with the content of each file that ``<name of a secret>_FILE`` names, in place of its path.

    Raises ``ImproperlyConfigured`` for both at once and for a file that cannot be read.
    """
    paths = {name + FILE for name in SECRETS}
    found = {name: text for name in SECRETS if (text := _given_or_in_file(values, name))}
    return {name: value for name, value in values.items() if name not in paths} | found


def _given_or_in_file(values: Mapping[str, str], name: str) -> str:
    text, path = values.get(name, "").strip(), values.get(name + FILE, "").strip()
    if text and path:
        raise ImproperlyConfigured(f"{name} and {name}{FILE} are both set; keep one of them")
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}{FILE} is {path}, which cannot be read: {error}") from None
    return text


def _unknown(name: str, known: Sequence[str]) -> str:
    bare = name.removeprefix(PREFIX)
    same = [other for other in known if other == bare or other.endswith(f"_{bare}")]
    near = same or get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "remove it, or see .env.example for the names there are."
    return f"{name} is not a setting; {hint}"


def _parse(name: str, text: str, setting: Setting) -> Any:
    """Return ``text`` in the type of the setting's default, in the setting's own unit."""
    default = setting.default
    if isinstance(default, bool):
        return flag(name, text)
    if isinstance(default, int):
        return number(name, text, int, "a whole number, 0 or more") * setting.factor
    if isinstance(default, float):
        return number(name, text, float, "a number, 0 or more") * setting.factor
    if isinstance(default, list):
        return words(text)
    if isinstance(default, dict):
        return pairs(name, text)
    return text


def flag(name: str, text: str) -> bool:
    """Return a yes or a no; anything else is refused rather than taken for no."""
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise wrong(name, text, "true or false")


def pairs(name: str, text: str) -> dict[str, str]:
    """Return ``key=value`` pairs, by comma, as a mapping; the last ``=`` of each divides it."""
    found = {}
    for entry in words(text):
        key, divides, value = (part.strip() for part in entry.rpartition("="))
        if not (divides and key and value) or key in found:
            raise wrong(name, text, "key=value pairs divided by commas, each key once")
        found[key] = value
    return found


def number(name: str, text: str, kind: Callable[[str], Number], expected: str) -> Number:
    """Return a finite number that is not negative."""
    try:
        value = kind(text)
    except ValueError:
        raise wrong(name, text, expected) from None
    if not math.isfinite(value) or value < 0:
        raise wrong(name, text, expected)
    return value


def words(text: str) -> list[str]:
    """Return the parts between commas, without the space around them and without empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


def wrong(name: str, text: str, expected: str) -> ImproperlyConfigured:
    """Return the error for a value that may be shown."""
    return ImproperlyConfigured(f'{name} is "{text}"; expected {expected}')


def site_url(text: str) -> str:
    """Return the site's address without a closing slash."""
    expected = "an address like https://social.example.org, without a path"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise wrong("SITE_URL", text, expected) from None
    if parts.username or parts.password:
        raise ImproperlyConfigured(f"SITE_URL holds a user name or password (not shown); expected {expected}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise wrong("SITE_URL", text, expected)
    return f"{parts.scheme}://{parts.netloc}"


def database(text: str, root: Path) -> dict[str, Any]:
    """Return Django's description of the database; a relative SQLite path begins at ``root``. Never shows ``text``."""
    expected = (
        "DATABASE_URL (not shown: it may hold a password) is not understood; "
        "expected sqlite:///path/to/file.sqlite3 or postgres://user:password@host:5432/name"
    )
    try:
        url = urlsplit(text)
        if url.scheme not in ("sqlite", "postgres", "postgresql") or (url.scheme == "sqlite" and url.netloc):
            raise ImproperlyConfigured(expected)
        config: dict[str, Any] = environ.Env.db_url_config(text)
    except (ValueError, KeyError):
        raise ImproperlyConfigured(expected) from None
    if not config["NAME"]:
        raise ImproperlyConfigured(expected)
    if url.scheme == "sqlite" and config["NAME"] != ":memory:":
        config["NAME"] = str(root / config["NAME"])
    if "pool" in parse_qs(url.query):
        raise ImproperlyConfigured("DATABASE_URL asks for a connection pool; clusters fork, so remove pool= from it")
    if url.scheme != "sqlite":
        config["OPTIONS"] = _plans_kept(config.get("OPTIONS", {}))
    return config


def _plans_kept(options: dict[str, Any]) -> dict[str, Any]:
    """Return psycopg's options with a number of times after which it has PostgreSQL keep a statement's plan.

    Behind a pooler that shares connections and does not know such statements, the URL says None.
    """
    threshold = options.get("prepare_threshold", PREPARE_THRESHOLD)
    if not isinstance(threshold, int) and threshold != "None":
        raise ImproperlyConfigured("DATABASE_URL has a prepare_threshold that is neither a number nor None")
    return {**options, "prepare_threshold": None if threshold == "None" else threshold}


def storages(found: Mapping[str, str]) -> dict[str, Any]:
    """Return Django's description of where files lie: in the media folder, or in a bucket if one is named.

    ``found`` are the settings of S3. Raises ``ImproperlyConfigured`` where one is set and the bucket is not.
    """
    files: dict[str, Any] = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    if found and not found.get("BUCKET"):
        raise ImproperlyConfigured(f"{PREFIX}S3_BUCKET is not set, but {PREFIX}S3_{min(found)} is; name the bucket")
    if found:
        options = {option: found[name] for name, option in S3_OPTIONS.items() if name in found}
        # A server of one's own seldom has a name for every bucket.
        options |= {"addressing_style": "path"} if "ENDPOINT" in found else {}
        files = {"BACKEND": S3_BACKEND, "OPTIONS": {**S3_FIXED, **options}}
    return {"default": files, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


def email(text: str) -> dict[str, Any]:
    """Return Django's e-mail settings. Never shows ``text``."""
    expected = (
        "EMAIL_URL (not shown: it may hold a password) is not understood; "
        "expected smtp+tls://user:password@host:587 or consolemail://"
    )
    try:
        config: dict[str, Any] = environ.Env.email_url_config(text)
    except (ValueError, KeyError, ImproperlyConfigured):
        raise ImproperlyConfigured(expected) from None
    return {name: value for name, value in config.items() if name.startswith("EMAIL_")}


def people(name: str, text: str) -> list[tuple[str, str]]:
    """Return (name, address) of each person in a line like ``Ann <ann@example.org>, bob@example.org``."""
    found = getaddresses([text]) if text.strip() else []
    if any("@" not in address for _, address in found):
        raise wrong(name, text, "addresses like Ann <ann@example.org>, bob@example.org")
    return found
