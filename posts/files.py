"""Sending stored pictures to a browser so that a file can be nothing but a picture there."""

from __future__ import annotations

from django.core.files.base import File
from django.http import FileResponse


def inline_file(file: File[bytes], mime_type: str) -> FileResponse:
    """Return ``file`` to be shown, of exactly this type; even opened by itself it runs nothing and loads nothing."""
    response = FileResponse(file, content_type=mime_type, filename="picture")
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, max-age=3600"
    return response
