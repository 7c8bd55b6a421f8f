"""The door to the network: which addresses may be called, and connections that end by a deadline.

Owns resolution, the address guard (checked after resolution, and the checked address is the one connected to), and
the deadline on every read and write. Knows nothing of HTTP, platforms or settings.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable

import httpcore2

from posts.publishing.errors import Unreachable
from posts.publishing.faults import said

CONNECT_TIMEOUT_SECONDS = 10.0  # for each address of a host; the call's own deadline may be nearer
TOO_LATE_SECONDS = 0.001  # a socket's timeout of 0 would mean "do not wait at all", which raises another error

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: IPv4 behind a translator, judged as the IPv4 it leads to
IPV6_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291: all that is routed in public
# What Python's own lists know differs from version to version: nothing of it is public, whatever they say.
SPECIAL = (
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocols, RFC 6890
    ipaddress.IPv4Network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    ipaddress.IPv6Network("2001::/23"),  # protocols, RFC 2928; Teredo is one and leads to any IPv4
    ipaddress.IPv6Network("2002::/16"),  # 6to4, RFC 3056: leads to any IPv4
    ipaddress.IPv6Network("3fff::/20"),  # examples, RFC 9637
)
PRIVATE = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
    ipaddress.IPv4Network("10.0.0.0/8"),
    ipaddress.IPv4Network("172.16.0.0/12"),
    ipaddress.IPv4Network("192.168.0.0/16"),
    ipaddress.IPv6Network("fc00::/7"),
    ipaddress.IPv4Network("100.64.0.0/10"),  # carrier-grade NAT, RFC 6598
    ipaddress.IPv4Network("198.18.0.0/15"),  # test networks, RFC 2544; some run their containers there
)


class Wire:
    """One call's connection state: when it must be over, and whether any byte of the request may have left."""

    def __init__(self, timeout_seconds: float) -> None:
        self.deadline = time.monotonic() + timeout_seconds
        self.request_left = False

    def remaining_seconds(self) -> float:
        """Return the seconds left, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def connect_seconds(self) -> float:
        """Return how long connecting may take now: the rest of the call's time, at most ten seconds an address."""
        return min(CONNECT_TIMEOUT_SECONDS, self.remaining_seconds())


class GuardedBackend(httpcore2.NetworkBackend):
    """Connects to allowed addresses only and hands out streams that keep the deadline of ``wire``.

    Whatever fails before the connection stands raises ``Unreachable``.
    """

    def __init__(self, wire: Wire, *, allow_private: bool) -> None:
        self._wire = wire
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Resolve ``host``, refuse what the guard forbids, and connect to the first allowed address that answers.

        The wire has the deadline; the other arguments are httpcore's and not used here.
        """
        failure = Unreachable("connect_timeout", host=host)
        for address in allowed_addresses(host, port, self._wire, allow_private=self._allow_private):
            limit = self._wire.connect_seconds()
            if not limit:
                break
            try:
                connected = socket.create_connection((str(address), port), limit)
            except TimeoutError:
                failure = Unreachable("connect_timeout", host=host)
            except OSError as error:
                failure = Unreachable("connect_failed", detail=said(error), host=host)
            else:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _DeadlineStream(connected, self._wire)
        raise failure


class _DeadlineStream(httpcore2.NetworkStream):
    """A socket whose every read and send ends by the wire's deadline, which is for the whole call; the timeouts that
    httpcore hands in are for one operation each and not used."""

    def __init__(self, connected: socket.socket, wire: Wire) -> None:
        self._socket = connected
        self._wire = wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._socket.settimeout(self._wire.remaining_seconds() or TOO_LATE_SECONDS)
            return self._socket.recv(max_bytes)
        except TimeoutError:
            raise httpcore2.ReadTimeout("no complete answer in time") from None
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        try:
            while view:
                self._socket.settimeout(self._wire.remaining_seconds() or TOO_LATE_SECONDS)
                self._wire.request_left = True
                view = view[self._socket.send(view) :]
        except TimeoutError:
            raise httpcore2.WriteTimeout("the request was not taken in time") from None
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from None

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            self._socket.settimeout(self._wire.connect_seconds() or TOO_LATE_SECONDS)
            return _DeadlineStream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._wire)
        except TimeoutError:
            self.close()
            raise Unreachable("connect_timeout", host=server_hostname) from None
        except (OSError, ValueError) as error:  # ValueError: a name that TLS cannot carry
            self.close()
            raise Unreachable("tls_failed", detail=str(error), host=server_hostname) from None

    def get_extra_info(self, info: str) -> object:
        return self._socket if info in ("socket", "ssl_object") and isinstance(self._socket, ssl.SSLSocket) else None


def allowed_addresses(host: str, port: int, wire: Wire, *, allow_private: bool) -> list[Address]:
    """Return the addresses of ``host`` that may be called, in the resolver's order.

    Raises ``Unreachable`` with ``dns_failed``, or, where no address is allowed, ``address_refused`` (the site's
    settings could allow it) or ``address_forbidden`` (nothing can).
    """
    found = _resolve(host, port, wire)
    allowed = [address for address in found if is_public(address) or (allow_private and is_private(address))]
    if allowed:
        return allowed
    code = "address_refused" if any(is_private(address) for address in found) else "address_forbidden"
    raise Unreachable(code, host=host, address=str(found[0]))


def is_public(address: Address) -> bool:
    """Return whether ``address`` is an ordinary address of the public internet."""
    address = _unwrap(address)
    special = _is_in(SPECIAL, address) or (address.version == 6 and address not in IPV6_UNICAST)
    return address.is_global and not (address.is_multicast or address.is_reserved or special)


def is_private(address: Address) -> bool:
    """Return whether ``address`` is loopback, private or carrier-grade NAT: what a site's settings may allow.

    Link-local (cloud metadata services live there), multicast, unspecified, reserved and tunnelled addresses are not.
    """
    return _is_in(PRIVATE, _unwrap(address))


def _is_in(networks: Iterable[Network], address: Address) -> bool:
    return any(address in network for network in networks)


def _unwrap(address: Address) -> Address:
    """The IPv4 address inside a mapped or translated IPv6 one, else ``address``."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _resolve(host: str, port: int, wire: Wire) -> list[Address]:
    """Ask the system's resolver in a thread, since it knows no deadline; it takes 0x7f.1 and 2130706433 for IPv4."""
    answers: list[Address] = []
    problems: list[str] = []

    def ask() -> None:
        try:
            for *_, socket_address in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM):
                answers.append(ipaddress.ip_address(socket_address[0]))
        except (OSError, ValueError) as error:  # ValueError: a label that cannot be encoded as a host name
            problems.append(said(error))

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(wire.remaining_seconds())
    if thread.is_alive():
        raise Unreachable("dns_failed", detail="the name service did not answer in time", host=host)
    if not answers:
        raise Unreachable("dns_failed", detail="".join(problems), host=host)
    return answers
