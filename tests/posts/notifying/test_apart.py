"""The process that runs apprise: what reaches the service, and which addresses are refused where they are connected."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from posts.media.sandbox import run_apart
from posts.notifying.apart import Guard
from tests.site import ROOT

pytestmark = pytest.mark.one_database

MESSAGE = {"title": "Ada on X: failed", "body": "It broke.\n<b>@everyone</b>", "is_good": False}
SCHEMES = ("json", "slack", "ntfys")


def apart(what: str, address: str, *, private: bool = False, schemes: Sequence[str] = SCHEMES) -> dict[str, str]:
    asked = {**MESSAGE, "address": address, "allow_private": private, "schemes": schemes}
    source = json.dumps(asked).encode()
    done = run_apart("posts.notifying.apart", what, timeout_seconds=60, source=source)
    assert done.stderr == b""
    return dict(json.loads(done.stdout))


def python(code: str, given: Any) -> Any:
    """Run ``code`` in a process of its own, with ``given`` on its standard input; return what it printed."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, cwd=ROOT, check=True)
    return json.loads(done.stdout)


def test_a_message_reaches_the_service_and_checking_reaches_nobody(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/room", method="POST").respond_with_json({})
    address = f"json://127.0.0.1:{httpserver.port}/room"
    assert apart("check", address, private=True) == {"service": "JSON", "wrong": ""}
    assert httpserver.log == []
    assert apart("send", address, private=True) == {"service": "JSON", "wrong": ""}
    ((request, _response),) = httpserver.log
    said = request.get_json()
    assert (said["title"], said["message"]) == (MESSAGE["title"], MESSAGE["body"])


def test_code_that_no_installer_has_compiled_is_no_refusal(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/room").respond_with_data("no", status=500)
    code = (
        "import sys; from posts.notifying.apart import main; sys.argv = ['apart', 'send']\n"
        "sys.dont_write_bytecode, sys.pycache_prefix = False, f'{sys.prefix}/nothing'\n"
        "main()"
    )
    address = f"json://127.0.0.1:{httpserver.port}/room"
    asked = {**MESSAGE, "address": address, "allow_private": True, "schemes": SCHEMES}
    assert python(code, asked) == {"service": "JSON", "wrong": "failed"}


@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1"])
def test_an_address_inside_is_refused_at_connect(httpserver: HTTPServer, host: str) -> None:
    assert apart("send", f"json://{host}:{httpserver.port}/room")["wrong"] in ("refused", "unreadable")
    assert httpserver.log == []


def test_a_redirect_is_not_followed_inside_though_the_address_asks_for_it(httpserver: HTTPServer) -> None:
    away = Response(status=307, headers={"Location": f"http://169.254.169.254:{httpserver.port}/"})
    httpserver.expect_request("/room").respond_with_response(away)
    assert apart("send", f"json://127.0.0.1:{httpserver.port}/room?redirect=yes", private=True)["wrong"] == "refused"


def test_a_name_that_leads_elsewhere_once_it_was_looked_at_is_refused(httpserver: HTTPServer) -> None:
    code = (
        "import socket, sys; answers = ['93.184.216.34']\n"
        "def rebound(host, port, *args, **kwargs):\n"
        "    found = answers.pop() if answers else '127.0.0.1'\n"
        "    return [(socket.AF_INET, socket.SOCK_STREAM, 6, '', (found, int(port)))]\n"
        "rebound('rebound.example', 80)  # what a check before would see\n"
        "socket.getaddrinfo = rebound\n"
        "sys.argv = ['apart', 'send']\n"
        "from posts.notifying.apart import main; main()"
    )
    address = f"json://rebound.example:{httpserver.port}/room"
    asked = {**MESSAGE, "address": address, "allow_private": False, "schemes": SCHEMES}
    assert python(code, asked)["wrong"] == "refused"
    assert httpserver.log == []


def test_only_the_schemes_that_the_site_allows_are_taken() -> None:
    wanted = {
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ": "",
        "ntfys://a-topic": "",
        "form://example.org/x": "scheme",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js": "scheme",
        "https://example.org/x": "unreadable",
        "file:///etc/passwd": "unreadable",
        "syslog://": "scheme",
        "nonsense": "unreadable",
    }
    code = (
        "import json, sys; from posts.notifying.apart import Guard, answer\n"
        "asked, addresses = json.load(sys.stdin)\n"
        "guard = Guard(connects=False, allow_private=False); sys.addaudithook(guard)\n"
        "print(json.dumps([answer({**asked, 'address': one}, guard, sends=False)['wrong'] for one in addresses]))"
    )
    assert python(code, [{**MESSAGE, "schemes": SCHEMES}, list(wanted)]) == list(wanted.values())


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        (("127.0.0.1", 80), True),
        (("10.1.2.3", 80), True),
        (("::ffff:127.0.0.1", 80, 0, 0), True),
        (("64:ff9b::7f00:1", 80, 0, 0), True),
        (("fe80::1%1", 80, 0, 1), False),
        (("169.254.169.254", 80), False),
        (("2002:7f00:1::", 80, 0, 0), False),
        (("0.0.0.0", 80), False),  # noqa: S104 - refused, not bound
        (("localhost", 80), False),
        ("/run/docker.sock", False),
        (b"\0abstract", False),
    ],
)
def test_the_guard_judges_addresses_and_takes_no_names(address: Any, inside: bool) -> None:
    def is_refused(*, private: bool) -> bool:
        guard = Guard(connects=True, allow_private=private)
        try:
            guard("socket.connect", (None, address))
        except PermissionError:
            return guard.refused
        return False

    assert is_refused(private=False)
    assert is_refused(private=True) is not inside


def test_the_guard_lets_out_to_public_addresses_unless_nothing_is_to_be_sent() -> None:
    public = (None, (str(ipaddress.ip_address("93.184.216.34")), 443))
    Guard(connects=True, allow_private=False)("socket.connect", public)
    with pytest.raises(PermissionError):
        Guard(connects=False, allow_private=True)("socket.connect", public)


def test_the_guard_opens_no_file_that_an_address_may_name_and_starts_nothing(tmp_path: Any) -> None:
    secrets = tmp_path / "secrets.env"
    secrets.write_text("SECRET_KEY=CANARY")
    (tmp_path / "link.py").symlink_to(secrets)
    guard = Guard(connects=True, allow_private=False)
    guard("open", (os.__file__, "r", os.O_RDONLY))
    guard("open", (3, "r", os.O_RDONLY))
    for path in (secrets, tmp_path / "link.py", "/etc/passwd", b"/proc/self/environ"):
        with pytest.raises(PermissionError):
            guard("open", (path, "r", os.O_RDONLY))
    guard("open", (__file__, "r", os.O_RDONLY))
    guard.close()
    for event, arguments in (
        ("open", (__file__, "r", os.O_RDONLY)),
        ("open", (os.__file__, "w", os.O_WRONLY)),
        ("subprocess.Popen", ("id", [], None, None)),
        ("os.system", ("id",)),
        ("socket.sendto", (None, ("127.0.0.1", 53))),
    ):
        with pytest.raises(PermissionError):
            guard(event, arguments)
