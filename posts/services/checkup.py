"""What is wrong with how a site publishes, and how to mend it: keys, files, apps at the networks, ways to them.

For ``manage.py doctor``. Writes nothing, and says nothing at the networks: it only knocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.core.files.storage import FileSystemStorage
from django.utils.translation import gettext

from posts import conf, credentials
from posts.models import Account, Media
from posts.publishing import registry
from posts.publishing.errors import PublishError
from posts.selectors.platforms import shortcomings_of
from posts.services.sessions import app_of, new_session
from posts.services.standing import sentence_of
from posts.services.storing import folder_problems
from queue_app.doctor import Finding, error, ok, room_in, warning

KNOCK_SECONDS = 8.0
AT_ONCE = 8


def examine_publishing(offline: bool) -> Iterator[Finding]:
    """Yield what is found; ``offline`` leaves the networks alone."""
    yield from _keys()
    yield from _files()
    platforms = sorted(set(Account.objects.filter(enabled=True).values_list("platform", flat=True)))
    yield from _apps(platforms)
    if not offline:
        yield from _ways()


def _keys() -> Iterator[Finding]:
    about = gettext("encryption keys")
    if not conf.get("ENCRYPTION_KEYS"):
        yield warning(
            about,
            gettext("Logins are sealed with a key that comes from SECRET_KEY: whoever changes that loses them."),
            gettext("Set SOCIALQ_ENCRYPTION_KEYS, then run python manage.py rotate_keys."),
        )
    closed = [account for account in Account.objects.exclude(sealed_credentials="") if not _opens(account)]
    if closed:
        yield error(
            about,
            gettext("The logins of %(count)s accounts cannot be opened, first that of %(account)s.")
            % {"count": len(closed), "account": closed[0]},
            gettext("Put the key that they were sealed with back into SOCIALQ_ENCRYPTION_KEYS, or connect them again."),
        )
    elif conf.get("ENCRYPTION_KEYS"):
        yield ok(about, gettext("They are set, and open every login."))


def _opens(account: Account) -> bool:
    try:
        credentials.unseal(account.uuid, account.sealed_credentials)
    except (credentials.CannotOpen, ValueError):  # ValueError: a key that is none
        return False
    return True


def _files() -> Iterator[Finding]:
    about = gettext("media folder")
    problems = list(folder_problems())
    for problem in problems:
        yield error(about, f"{problem}.", gettext("See that its owner is the user that the site runs as."))
    storage = Media._meta.get_field("file").storage
    if not problems and isinstance(storage, FileSystemStorage):
        folder = Path(storage.location)
        yield room_in(about, next(each for each in (folder, *folder.parents) if each.is_dir()))


def _apps(used: list[str]) -> Iterator[Finding]:
    """Find what is lacking where it is needed: a network that nobody uses may stay as it is."""
    about = gettext("networks")
    for name in used:
        for lack in shortcomings_of(name):
            yield error(about, f"{lack}.".replace("..", "."), gettext("docs/platforms.md says how to get it."))
    others = [name for name in conf.get("ENABLED_PLATFORMS") if name not in used and shortcomings_of(name)]
    if others:
        said = gettext("Not set up, and not used: %(names)s; python manage.py platforms --check says what they need.")
        yield ok(about, said % {"names": ", ".join(others)})


def _ways() -> Iterator[Finding]:
    """Knock at each server that an account's posts go to, several at a time, as publishing would."""
    servers = _servers()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(_knock, servers.items()))
    for (server, platform), refusal in zip(servers.items(), answers, strict=True):
        about = registry.get(platform).label
        if refusal is None:
            yield ok(about, gettext("%(server)s answers.") % {"server": server})
        else:
            mend = gettext("Check this machine's way out: its name service, firewall and proxy.")
            yield error(about, f"{server}: {refusal}", mend)


def _servers() -> Mapping[str, str]:
    """Return each server that enabled accounts use, with one platform that is there."""
    found: dict[str, str] = {}
    for name, config in Account.objects.filter(enabled=True).values_list("platform", "config"):
        platform = registry.platforms().get(name)
        if platform is not None and (server := platform.server(app_of(name), config)):
            found.setdefault(server, name)
    return dict(sorted(found.items()))


def _knock(where: tuple[str, str]) -> str | None:
    """Return why the server cannot be reached, ``None`` if it says anything at all."""
    server, name = where
    try:
        new_session(name, {}, {}).http.request("HEAD", f"{server}/", timeout_seconds=KNOCK_SECONDS)
    except PublishError as refusal:
        return sentence_of(refusal, registry.get(name).label)
    return None
