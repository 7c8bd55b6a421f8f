"""Pages for monitors: /health, /ready and /metrics. Parses and answers; what is asked of the queue is found elsewhere.

Whoever may not read the metrics learns of the checks whether they are well, and no more.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from queue_app import conf, readiness

BEARER = "bearer "
# Who asks through a proxy has the proxy's address.
FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP")
NOT_INSTALLED = "Metrics need the package prometheus-client: pip install 'socialq[metrics]'\n"
NOT_ALLOWED = "Metrics are for who has METRICS_TOKEN, or asks from an address of METRICS_ALLOW.\n"
PLAIN = "text/plain; charset=utf-8"


@require_safe
@never_cache
@transaction.non_atomic_requests
def health(request: HttpRequest) -> HttpResponse:
    """Say that this process answers. Asks nothing of the database."""
    return HttpResponse("ok\n", content_type=PLAIN)


@require_safe
@never_cache
@transaction.non_atomic_requests
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 where every check is well, else 503; ``?exclude=workers``, repeatable, leaves checks out.

    JSON: ``ready``, and ``checks`` by name, each with ``ok`` and, for who may know it, what it ``says``.
    """
    left_out = request.GET.getlist("exclude")
    unknown = [name for name in left_out if name not in readiness.NAMES]
    if unknown:
        return JsonResponse({"error": f"exclude is one of {', '.join(readiness.NAMES)}"}, status=400)
    found = {name: check for name, check in readiness.checks().items() if name not in left_out}
    well = all(check.ok for check in found.values())
    in_words = _may_know(request)
    told = {
        name: {"ok": check.ok, "says": check.says} if in_words else {"ok": check.ok} for name, check in found.items()
    }
    return JsonResponse({"ready": well, "checks": told}, status=200 if well else 503)


@require_safe
@never_cache
@transaction.non_atomic_requests
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics as Prometheus reads them, to who may read them."""
    if not is_monitor(request.META):
        return HttpResponse(NOT_ALLOWED, status=403, content_type=PLAIN)
    try:
        from queue_app import exposition  # noqa: PLC0415 -- an extra, which the queue does without
    except ImportError:
        return HttpResponse(NOT_INSTALLED, status=501, content_type=PLAIN)
    return HttpResponse(exposition.scrape(), content_type=exposition.CONTENT_TYPE)


def is_monitor(meta: Mapping[str, object]) -> bool:
    """Say whether a request with these headers has the token, or comes straight from an address that is let in."""
    token, given = str(conf.get("METRICS_TOKEN")), str(meta.get("HTTP_AUTHORIZATION", ""))
    if token and given[: len(BEARER)].lower() == BEARER:
        return hmac.compare_digest(given[len(BEARER) :].strip().encode(), token.encode())
    if any(name in meta for name in FORWARDED):
        return False
    return _is_let_in(str(meta.get("REMOTE_ADDR", "")))


def networks(entries: object) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the networks of METRICS_ALLOW. Raises ValueError, with the entry, for what is none."""
    if not isinstance(entries, list | tuple):
        raise ValueError(f"METRICS_ALLOW is a list of addresses and networks, not {entries!r}")  # noqa: TRY004 -- told alike
    return [ipaddress.ip_network(entry) for entry in entries]


def _is_let_in(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # a socket of the file system has none
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in network for network in networks(conf.get("METRICS_ALLOW")))


def _may_know(request: HttpRequest) -> bool:
    if is_monitor(request.META):
        return True
    # The session is in a database that may be the trouble: it is asked where the checks have just found it well.
    if not readiness.checks()["database"].ok or not request.COOKIES:
        return False
    user = getattr(request, "user", None)
    return user is not None and user.is_active and user.is_staff
