"""Addresses under which a network that fetches files itself gets one, for a while and nothing else.

Owns their signature and their end. Whoever has such an address may read that one file until then; it says nothing else.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

from django.core.signing import BadSignature, TimestampSigner
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from posts import conf
from posts.models import Media, MediaVariant
from posts.publishing.guard import is_public
from queue_app import conf as queue_conf

SALT = "posts.media"
# Names that lead nowhere outside of one machine or one house: RFC 6761, RFC 6762, and what ICANN has set aside.
INSIDE = ("localhost", ".localhost", ".local", ".internal", ".home.arpa", ".test")


class NoAddress(LookupError):
    """This site has no address that a network could reach."""


def public_address(row: Media | MediaVariant, filename: str) -> str:
    """Return a signed address of the file of ``row`` that ends after ``MEDIA_URL_HOURS``. Raises NoAddress."""
    if not has_public_address():
        raise NoAddress(gettext("SITE_URL is no address that can be reached from outside"))
    site: str = queue_conf.get("SITE_URL").rstrip("/")
    return site + _path(_signer().sign(_name_of(row)), filename)


def has_public_address() -> bool:
    """Say whether networks can reach this site, as far as its own address tells."""
    host = urlsplit(queue_conf.get("SITE_URL")).hostname or ""
    try:
        _path("token", "name")
    except NoAddress:
        return False
    return conf.get("ALLOW_PRIVATE_NETWORKS") or _is_outside(host)


def row_of(token: str) -> Media | MediaVariant | None:
    """Return what an address of ours stands for, ``None`` if that is gone. Raises BadSignature if it is not ours or
    has ended."""
    kind, _, key = _signer().unsign(token, max_age=timedelta(hours=conf.get("MEDIA_URL_HOURS"))).partition("-")
    if kind == "variant" and key.isdecimal():
        return MediaVariant.objects.filter(pk=int(key)).first()
    if kind == "media" and key.isdecimal():
        return Media.objects.filter(pk=int(key)).first()
    raise BadSignature(gettext("it names no file"))


def _name_of(row: Media | MediaVariant) -> str:
    return f"{'media' if isinstance(row, Media) else 'variant'}-{row.pk}"


def _signer() -> TimestampSigner:
    return TimestampSigner(salt=SALT, sep=".")  # a colon would be escaped by some who fetch


def _path(token: str, filename: str) -> str:
    try:
        return reverse("posts:signed_media", args=[token, filename])
    except NoReverseMatch:
        raise NoAddress(gettext("the posts app's addresses are not among this site's")) from None


def _is_outside(host: str) -> bool:
    try:
        return is_public(ipaddress.ip_address(host))
    except ValueError:
        return "." in host and not host.endswith(INSIDE)
