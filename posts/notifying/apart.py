"""The process that runs apprise: ``python -m posts.notifying.apart send``, or ``check``, which sends nothing.

Reads one JSON object from standard input: the address, which is a secret, the message, and what is allowed. Answers
with one JSON object: what the address's service is called, and what went wrong, by a code of ``WRONG``.

Apprise asks networks by itself, follows redirects and reads files that an address may name. So everything is judged
where it happens, by Python's audit hook, which nothing can take off again: a connection where it is made, after names
were resolved, and a file where it is opened. Nothing is written, no program started. Needs apprise.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import mimetypes
import os
import sys
import zoneinfo
from collections.abc import Iterable
from typing import Any

from posts.media.sandbox import limit_ourselves
from posts.publishing.guard import is_private, is_public

MEMORY_LIMIT_BYTES = 1 << 30
CPU_LIMIT_SECONDS = 20
SERVICE_SECONDS = 15.0
SERVICE_CHARACTERS = 60
CODE = (".py", ".pyc", ".so")
FORBIDDEN = (
    *("socket.sendto", "socket.sendmsg"),
    *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
    *("os.remove", "os.rename", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"),
)

# The codes of what can be wrong. ``refused`` is a connection, or a file, that the guard forbade.
UNREADABLE, SCHEME, REFUSED, FAILED = "unreadable", "scheme", "refused", "failed"
WRONG = (UNREADABLE, SCHEME, REFUSED, FAILED)


class Guard:
    """What this process may still do. ``refused`` says whether anything was forbidden so far."""

    def __init__(self, *, connects: bool, allow_private: bool) -> None:
        self._connects = connects
        self._allow_private = allow_private
        self._readable = tuple(os.path.realpath(folder) + os.sep for folder in (sys.prefix, sys.base_prefix))
        self._readable += tuple(os.path.realpath(folder) + os.sep for folder in zoneinfo.TZPATH)
        self._imports = True
        self.refused = False

    def close(self) -> None:
        """From here on read nothing but what belongs to Python itself."""
        self._imports = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise PermissionError for what is forbidden. The audit hook."""
        if event == "socket.connect":
            self._judge(self._may_connect(arguments[1]))
        elif event == "open":
            self._judge(self._may_open(*arguments[:3]))
        elif event in FORBIDDEN:
            self._judge(is_fine=False)

    def _judge(self, is_fine: bool) -> None:
        if not is_fine:
            self.refused = True
            raise PermissionError("not allowed")

    def _may_connect(self, address: Any) -> bool:
        """Say whether a connection may be made. A name is no address: what it means could change until then."""
        try:
            where = ipaddress.ip_address(address[0]) if isinstance(address, tuple) else None
        except ValueError:
            where = None
        if where is None or not self._connects:
            return False
        return is_public(where) or (self._allow_private and is_private(where))

    def _may_open(self, path: Any, _mode: Any, flags: Any) -> bool:
        if isinstance(path, int):  # open already
            return True
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return bool(path == os.devnull)
        real = os.path.realpath(os.fsdecode(path))
        return real.startswith(self._readable) or (self._imports and real.endswith(CODE))


def main() -> None:
    """Do what the module says."""
    asked = json.load(sys.stdin)
    sends = sys.argv[1] == "send"
    logging.disable(logging.CRITICAL)  # nothing of an address may be said, and nobody reads it
    limit_ourselves(memory_bytes=MEMORY_LIMIT_BYTES, cpu_seconds=CPU_LIMIT_SECONDS)
    mimetypes.init()
    sys.dont_write_bytecode = True  # else the guard refuses it, as if the address had asked for it
    guard = Guard(connects=sends, allow_private=asked["allow_private"])
    sys.addaudithook(guard)
    sys.stdout.write(json.dumps(answer(asked, guard, sends=sends)))


def answer(asked: dict[str, Any], guard: Guard, *, sends: bool) -> dict[str, str]:
    """Return the answer: ``service`` and ``wrong``."""
    import apprise  # noqa: PLC0415 - behind the guard, all of it

    asset = apprise.AppriseAsset(
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
        image_path_mask=False,
        pgp_autogen=False,
        pem_autogen=False,
        allow_templates=False,
        service_timeout=SERVICE_SECONDS,
        async_mode=False,
        app_id="SocialQ",
        app_url="",
    )
    service = apprise.Apprise.instantiate(asked["address"], asset=asset, suppress_exceptions=True)
    if service is None:
        return {"service": "", "wrong": UNREADABLE}
    name = "".join(letter for letter in str(service.service_name) if letter.isprintable())[:SERVICE_CHARACTERS]
    if not _is_allowed(asked["address"], service, asked["schemes"]):
        return {"service": name, "wrong": SCHEME}
    if not sends:
        return {"service": name, "wrong": ""}
    guard.close()
    told = apprise.Apprise(asset=asset)
    told.add(service)
    kind = apprise.NotifyType.SUCCESS if asked["is_good"] else apprise.NotifyType.WARNING
    sent = told.notify(
        title=asked["title"], body=asked["body"], notify_type=kind, body_format=apprise.NotifyFormat.TEXT
    )
    return {"service": name, "wrong": "" if sent else REFUSED if guard.refused else FAILED}


def _is_allowed(address: str, service: Any, schemes: Iterable[str]) -> bool:
    """Say whether the address's scheme is allowed; a service's own https address counts as one of its schemes."""
    scheme = address.partition("://")[0].strip().lower()
    if scheme != "https":
        return scheme in schemes
    known = (service.protocol, service.secure_protocol)
    own = {name for names in known for name in ((names,) if isinstance(names, str) else names or ())}
    return bool(own & set(schemes))


if __name__ == "__main__":
    main()
