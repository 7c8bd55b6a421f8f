"""From which address a request comes, as far as the site can believe it."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest

from queue_app import conf

# Whoever has one address of IPv6 mostly has all of its network: they count as one.
IPV6_PREFIX = 64


def address_of(request: HttpRequest) -> str | None:
    """Return the address of who asks; of IPv6, its network's first. ``None`` where it is not known (a local socket).

    It is the connection's own. Where TRUSTED_PROXIES are said to stand before the site, each of them adds to
    X-Forwarded-For whom it was asked by, and the address that the first of them added counts: what a caller writes
    there stands further left.
    """
    connected = request.META.get("REMOTE_ADDR", "")
    proxies: int = conf.get("TRUSTED_PROXIES")
    passed = request.headers.get("X-Forwarded-For", "").split(",") if proxies else []
    told = passed[-proxies] if len(passed) >= proxies > 0 else connected
    return _network(told) or _network(connected)


def _network(text: str) -> str | None:
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_PREFIX), strict=False).network_address)
