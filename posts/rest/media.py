"""Files as programs upload, describe, find and delete them. What is in them is judged by the services."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import File, Form, Query, Router
from ninja.files import UploadedFile
from pydantic import BaseModel, Field

from posts import conf
from posts.models import Media, MediaKind
from posts.rest.schemas import In, Tags
from posts.rest.writing import record
from posts.selectors.library import library, with_tag, with_words
from posts.selectors.posts import usable_media
from posts.services import queueing
from posts.services.downloads import ADDRESS_CHARACTERS, prepare_download
from posts.services.errors import NoRoom, ValidationFailed
from posts.services.library import ALT_CHARACTERS, add_file, delete_file, describe_file, require_description
from posts.services.tags import tags_from
from posts.services.uploads import Prepared, drop_upload, prepare_upload, sha256_of
from posts.uploads import (
    FORM_ALLOWANCE_BYTES,
    BodyTooLargeError,
    BodyUnreadableError,
    BodyWithoutRoomError,
    read_body,
)
from queue_app import keys
from queue_app.database import atomic
from queue_app.rest.auth import Access, Request
from queue_app.rest.bodies import require_bounded, too_large
from queue_app.rest.idempotency import once_prepared
from queue_app.rest.operations import operation
from queue_app.rest.pages import page_of
from queue_app.rest.problems import FieldError, Problem, not_found
from queue_app.rest.schemas import Cursor, Id, Limit, with_examples

router = Router(tags=["media"])
READS = Access(keys.READ, ("posts.view_media", "posts.add_post"))
ADDS = Access(keys.WRITE, ("posts.add_media",))
CHANGES = Access(keys.WRITE, ("posts.change_media",))
DELETES = Access(keys.PUBLISH, ("posts.delete_media",))
MULTIPART = "multipart/form-data"
FORM_FIELDS = frozenset({"file", "alt", "tags", "in_library"})

InLibrary = Annotated[bool, Field(description="Keep the file whatever becomes of the posts that use it.")]


class FilesAsked(BaseModel):
    """Which files, and which page of them."""

    kind: str = Field("", pattern=f"^(|{'|'.join(MediaKind.values)})$")
    tag: str = Field("", max_length=50)
    q: str = Field("", max_length=200, description="Words of its name, alt text or tags.")
    cursor: Cursor = ""
    limit: Limit = 50


class FileOut(BaseModel):
    """An uploaded file. Width and height are 0 where there are none."""

    id: int
    uuid: str
    name: str = Field(description="The name that it came with.")
    kind: str
    mime_type: str
    width: int
    height: int
    duration_seconds: float | None
    size_bytes: int
    alt: str
    tags: list[str]
    in_library: InLibrary
    uses: int = Field(description="How many posts have it.")
    created_at: datetime
    file_deleted_at: datetime | None = Field(description="When the file went; what is known of it stays.")


class FilesOut(BaseModel):
    """A page of files."""

    items: list[FileOut]
    next: str | None = Field(description="The `cursor` of the next page; none at the end.")


class FetchIn(In):
    """A file that lies elsewhere."""

    model_config = with_examples({"url": "https://example.org/cat.jpg", "alt": "A cat"})

    url: str = Field(max_length=ADDRESS_CHARACTERS, examples=["https://example.org/picture.jpg"])
    alt: str = Field("", max_length=ALT_CHARACTERS, description="Alt text.")
    tags: Tags = []
    in_library: InLibrary = False


class FileChange(In):
    """What is to change of a file; what is left out stays."""

    model_config = with_examples({"alt": "A cat", "tags": ["cats"]})

    alt: str | None = Field(None, max_length=ALT_CHARACTERS)
    tags: Tags | None = None
    in_library: InLibrary | None = None


class FileDeletedOut(BaseModel):
    """What became of a file that was deleted."""

    deleted: bool


def read_upload(request: HttpRequest) -> None:
    """Read a form with a file, or raise Problem; by the announced length before a byte of it is read.

    Of unknown fields nothing is taken, as of those in JSON: a misnamed alt text would be lost.
    """
    limits = conf.upload_limits()
    require_bounded(request, max(limits.values()) + FORM_ALLOWANCE_BYTES)
    if request.content_type != MULTIPART:
        detail = _("Send the file as %(type)s, in the field “file”.") % {"type": MULTIPART}
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    try:
        read_body(request, **limits)
    except BodyTooLargeError as error:
        raise too_large(error.max_bytes) from None
    except BodyUnreadableError:
        raise Problem(HTTPStatus.BAD_REQUEST, _("The upload broke off; send it again.")) from None
    except BodyWithoutRoomError:
        raise Problem(HTTPStatus.INSUFFICIENT_STORAGE, str(NoRoom(_("The file")))) from None
    unknown = sorted({*request.POST, *request.FILES} - FORM_FIELDS)
    if unknown:
        errors = [FieldError(name[:100], _("There is no such field.")) for name in unknown]
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, _("The form has fields that are not known."), errors=errors)


@operation(router, "POST", "/media", ADDS, {201: FileOut}, refuses=(507,), keeps_it_itself=True, read_body=read_upload)
def upload_file(
    request: Request,
    file: File[UploadedFile],
    alt: Annotated[str, Form(max_length=ALT_CHARACTERS, description="Alt text.")] = "",
    tags: Annotated[str, Form(max_length=2_000, description="By comma.")] = "",
    in_library: Annotated[bool, Form(description="Keep it whatever becomes of its posts.")] = False,
) -> Any:
    """Upload a picture, an animated picture, a video or a document.

    What it is, its content says; its name never is a path.
    """
    name = file.name or ""

    def said() -> bytes:
        return json.dumps([sha256_of(file), name, alt, tags, in_library]).encode()

    prepare = partial(prepare_upload, file, owner=request.person, original_name=name, is_in_library=in_library)
    with _by_our_names({"media": "file"}):
        return _added(request, said, prepare, alt, tags_from(tags))


@operation(router, "POST", "/media/from-url", ADDS, {201: FileOut}, refuses=(507,), keeps_it_itself=True)
def fetch_file(request: Request, body: FetchIn) -> Any:
    """Fetch a file from an address and store it as an upload.

    Private addresses are not asked, redirects are followed three times at most, and nothing is sent along.
    """
    prepare = partial(prepare_download, body.url, owner=request.person, is_in_library=body.in_library)
    with _by_our_names({"media": "url"}):
        return _added(request, lambda: request.body, prepare, body.alt, body.tags)


@operation(router, "GET", "/media", READS, {200: FilesOut})
def list_files(request: Request, asked: Annotated[FilesAsked, Query()]) -> dict[str, Any]:
    """List the files that you may use, the newest first."""
    found = library(request.person)
    found = found.filter(kind=asked.kind) if asked.kind else found
    found = found.filter(with_tag(asked.tag.lower())) if asked.tag else found
    page = page_of(
        with_words(found, asked.q), order="-id", orders={"-id": "-pk"}, cursor=asked.cursor, limit=asked.limit
    )
    return {"items": [_told(media) for media in page.rows], "next": page.next or None}


@operation(router, "GET", "/media/{int:media_id}", READS, {200: FileOut})
def get_file(request: Request, media_id: Id) -> dict[str, Any]:
    """Read what is known of a file."""
    return _shown(request, _visible(request, media_id))


@operation(router, "PATCH", "/media/{int:media_id}", CHANGES, {200: FileOut})
def change_file(request: Request, media_id: Id, body: FileChange) -> dict[str, Any]:
    """Change a file's alt text and tags, and whether it is kept.

    Posts without an alt text of their own for it get this one.
    """
    media = _visible(request, media_id)
    with _by_our_names({}), queueing.one_transaction():
        stored = describe_file(
            media, alt_text=body.alt, tags=body.tags, is_in_library=body.in_library, actor=request.person
        )
        record(request, stored, CHANGE, _("Described"))
    return _shown(request, stored)


@operation(router, "DELETE", "/media/{int:media_id}", DELETES, {200: FileDeletedOut}, refuses=(409,))
def remove_file(request: Request, media_id: Id) -> dict[str, Any]:
    """Delete a file: drafts lose it, posts that have ended keep what is known of it.

    While a post that is scheduled, being sent or to be reviewed needs it, this is refused.
    """
    media = _visible(request, media_id)
    name = str(media)
    with queueing.one_transaction():
        delete_file(media, actor=request.person)
        record(request, Media(), DELETION, _("Deleted"), key=media_id, name=name)
    return {"deleted": True}


def _visible(request: Request, media_id: int) -> Media:
    found = usable_media(request.person).filter(pk=media_id).first()
    if found is None:
        raise not_found()
    return found


def _added(
    request: Request, said: Callable[[], bytes], prepare: Callable[[], Prepared], alt: str, tags: Sequence[str]
) -> HttpResponseBase:
    """Look into a file and store it, outside of any transaction; keep it and the answer in one."""
    require_description(alt, tags, actor=request.person)

    def finish(prepared: Prepared) -> HttpResponse:
        with atomic():
            media = add_file(prepared, alt_text=alt, tags=tags, actor=request.person)
            record(request, media, ADDITION, _("Uploaded"))
        return JsonResponse(_shown(request, media), status=HTTPStatus.CREATED)

    return once_prepared(request, said, prepare, finish, drop_upload)


def _shown(request: Request, media: Media) -> dict[str, Any]:
    return _told(library(request.person).get(pk=media.pk))


def _told(media: Media) -> dict[str, Any]:
    """Return a file as JSON; as ``library`` reads it."""
    same = FileOut.model_fields.keys() - {"uuid", "name", "alt", "tags", "in_library"}
    return {
        **{name: getattr(media, name) for name in same},
        "uuid": str(media.uuid),
        "name": media.original_name,
        "alt": media.alt_text,
        "tags": [tag.name for tag in media.tags.all()],
        "in_library": media.is_in_library,
    }


@contextmanager
def _by_our_names(names: Mapping[str, str]) -> Iterator[None]:
    """Have what the services refuse say so by the names that the body has."""
    ours = {"alt_text": "alt", **names}
    try:
        yield
    except ValidationFailed as error:
        found = [replace(problem, field=ours.get(problem.field, problem.field)) for problem in error.problems]
        raise ValidationFailed(found) from None
