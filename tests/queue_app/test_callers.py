"""Whose address a request is believed to come from."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from queue_app.callers import address_of

PROXY = "10.0.0.1"


def asked(address: str = PROXY, **headers: str) -> str | None:
    return address_of(RequestFactory().get("/", headers=headers, REMOTE_ADDR=address))


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", None),
        ("unix:", None),
    ],
)
def test_the_connections_own_address_counts(address: str, known: str | None) -> None:
    assert asked(address) == known


def test_what_a_caller_claims_is_not_read_where_no_proxy_is_trusted() -> None:
    assert asked(**{"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=192.0.2.7", "X-Real-IP": "192.0.2.7"}) == PROXY


@pytest.mark.parametrize(
    ("proxies", "header", "known"),
    [
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "198.51.100.1, 192.0.2.7", "192.0.2.7"),
        (2, "198.51.100.1, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (2, "192.0.2.7", PROXY),
        (1, "", PROXY),
        (1, "nonsense", PROXY),
    ],
)
def test_the_first_trusted_proxy_says_who_asks(settings: Any, proxies: int, header: str, known: str) -> None:
    settings.SOCIALQ = {**settings.SOCIALQ, "TRUSTED_PROXIES": proxies}
    assert asked(**{"X-Forwarded-For": header}) == known
