"""Uploads by address: fetching a file that a person names from wherever it lies, and storing it as any other upload.

The address is a stranger's: every connection passes the guard, redirects are followed here so that each is judged anew,
nothing of ours is sent along, and what comes is bounded by size and time while it comes. Outside any transaction.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import unquote, urljoin, urlsplit

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.utils.translation import gettext as _

from posts import conf
from posts.disk import has_no_room
from posts.publishing import words
from posts.publishing.errors import PublishError
from posts.publishing.http import Http, Response
from posts.services.errors import NoRoom, Problem, ValidationFailed
from posts.services.uploads import Prepared, keep_upload, prepare_upload
from posts.transactions import in_transaction, refuse_in_transaction

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from posts.models import Media

FIELD = "url"
ADDRESS_CHARACTERS = 2_000
MOST_REDIRECTS = 3
REDIRECTS = (
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)


def fetch_upload(url: str, *, owner: User | None, is_in_library: bool = False) -> Media:
    """Fetch the file at ``url`` (http or https), check it by what is in it, store it and return it.

    Raises ValidationFailed (field ``url`` where it cannot be fetched, else as ``store_upload``), and NoRoom.
    """
    return keep_upload(prepare_download(url, owner=owner, is_in_library=is_in_library))


def prepare_download(url: str, *, owner: User | None, is_in_library: bool = False) -> Prepared:
    """Do all that takes a while of ``fetch_upload``, as ``prepare_upload`` does of its own."""
    refuse_in_transaction(_("A file would be fetched"))
    if len(url) > ADDRESS_CHARACTERS:
        raise _refused(_("The address has more than %(most)s characters") % {"most": f"{ADDRESS_CHARACTERS:,}"})
    name = PurePosixPath(unquote(_path(url))).name
    # Gone when it is closed, unless it became the stored file.
    with TemporaryUploadedFile("download", "", 0, None) as file:
        try:
            _download(url, file)
        except PublishError as error:
            raise _refused(_in_words(error)) from None
        except OSError as error:
            if has_no_room(error):
                raise NoRoom(name or url) from None
            raise
        return prepare_upload(file, owner=owner, original_name=name, is_in_library=is_in_library)


def _download(url: str, file: TemporaryUploadedFile) -> None:
    """Write the file at ``url``, or where that leads to, into ``file``."""
    http = Http(
        allow_private=conf.get("ALLOW_PRIVATE_NETWORKS"),
        timeout_seconds=conf.get("HTTP_TIMEOUT_SECONDS"),
        refuse_when=in_transaction,
    )
    most = max(conf.upload_limits().values())
    for _hop in range(MOST_REDIRECTS + 1):
        file.seek(0)
        file.truncate()
        response = http.download(url, cast("BinaryIO", file), max_bytes=most)  # a File writes and seeks as one
        if response.status == HTTPStatus.OK:
            file.flush()
            file.size = file.tell()
            return
        url = _next_address(url, response)
    raise _refused(_("The address leads on more than %(most)s times; give the last one") % {"most": MOST_REDIRECTS})


def _next_address(url: str, response: Response) -> str:
    """Return where an answer that is no file leads, never from https to http."""
    target = response.headers.get("location", "") if response.status in REDIRECTS else ""
    if not target:
        told = {"host": response.host, "status": response.status}
        raise _refused(_("%(host)s answered with %(status)s in place of a file; give the file's own address") % told)
    try:
        found = urljoin(url, target)
    except ValueError:
        found = ""
    if url.lower().startswith("https:") and not found.lower().startswith("https:"):
        text = _("%(host)s leads from https to an address without it; give the file's own address")
        raise _refused(text % {"host": response.host})
    return found


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _in_words(error: PublishError) -> str:
    if error.code == "answer_too_large":
        most = max(conf.upload_limits().values())
        return _("The file is too large: at most %(limit)s bytes are allowed") % {"limit": f"{most:,}"}
    return words.sentence(error.code, error.params, str(error.params.get("host", "")))


def _refused(message: str) -> ValidationFailed:
    return ValidationFailed([Problem(FIELD, message)])
