from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable

import pytest

from posts.publishing.errors import Unreachable
from posts.publishing.guard import Wire, allowed_addresses, is_private, is_public
from posts.publishing.http import Http

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "172.32.0.1"]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "198.18.0.1",
    "::1",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::192.168.0.1",
]
NEVER = [
    "0.0.0.0",  # noqa: S104 - refused, not bound
    "0.1.2.3",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "fe80::1",
    "ff02::1",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
]
# By what their Python knows of them: 3.13 calls some of these private, 3.12 others, 3.11 some public.
SPECIAL = ["192.0.0.1", "192.0.0.9", "192.0.0.100", "192.0.2.1", "2001:20::1", "2001:db8::1", "3fff::1", "100::1"]
TUNNELLED = ["2002:7f00:1::", "2002:0808:0808::1", "2001:0:7f00:1::", "64:ff9b:1::7f00:1", "192.88.99.1", "::127.0.0.1"]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let any name stand for the given addresses."""

    def stand_for(*addresses: str) -> None:
        answers = [(0, 0, 0, "", (address, 443)) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)

    return stand_for


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert not is_private(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_for_the_settings_to_allow(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    assert is_private(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", [*NEVER, *SPECIAL, *TUNNELLED])
def test_some_addresses_are_never_called(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    assert not is_private(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "localhost"])
def test_every_way_to_write_loopback_is_refused_after_resolution(host: str) -> None:
    with pytest.raises(Unreachable) as caught:
        allowed_addresses(host, 80, Wire(5), allow_private=False)
    assert caught.value.code == "address_refused"
    assert caught.value.params["host"] == host


def test_a_name_that_leads_inside_is_refused(names: Callable[..., None]) -> None:
    names("10.0.0.7")
    with pytest.raises(Unreachable) as caught:
        allowed_addresses("pds.example", 443, Wire(5), allow_private=False)
    assert caught.value.params == {"host": "pds.example", "address": "10.0.0.7"}
    assert allowed_addresses("pds.example", 443, Wire(5), allow_private=True)


def test_of_several_addresses_only_the_allowed_ones_are_used(names: Callable[..., None]) -> None:
    names("127.0.0.1", "8.8.8.8", "169.254.169.254")
    assert list(map(str, allowed_addresses("mixed.example", 443, Wire(5), allow_private=False))) == ["8.8.8.8"]


def test_metadata_addresses_stay_forbidden_where_private_networks_are_allowed(names: Callable[..., None]) -> None:
    names("169.254.169.254")
    with pytest.raises(Unreachable) as caught:
        allowed_addresses("metadata.example", 80, Wire(5), allow_private=True)
    assert caught.value.code == "address_forbidden"


def test_the_checked_address_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers differently the second time (rebinding) gets no second time."""
    asked: list[str] = []
    called: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        asked.append(host)
        return [(0, 0, 0, "", ("8.8.8.8" if len(asked) == 1 else "127.0.0.1", 80))]

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        called.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Unreachable):
        Http(allow_private=False, timeout_seconds=5, refuse_when=lambda: False).request("GET", "http://rebind.example/")
    assert asked == ["rebind.example"]
    assert called == ["8.8.8.8"]


def test_a_silent_name_service_does_not_outlast_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Event

    never = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: never.wait(10) and [])
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="dns_failed"):
        allowed_addresses("slow.example", 443, Wire(0.1), allow_private=False)
    assert time.monotonic() - begun < 5
    never.set()


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable) as caught:
        allowed_addresses("nobody.example", 443, Wire(5), allow_private=False)
    assert caught.value.code == "dns_failed"
    assert caught.value.params == {"host": "nobody.example"}
