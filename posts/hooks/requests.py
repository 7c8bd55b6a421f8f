"""What all hooks share: a body of bounded size, JSON that is an object, and answers.

200   heard, also where it was heard before or concerns nobody here: the network need not send it again
400   no request of the kind that is documented, or larger than any of them
403   not signed with the app's secret, or signed too long ago
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

MAX_BODY_BYTES = 256_000
TEXT = "text/plain; charset=utf-8"

View = Callable[..., HttpResponse]


def hook(*methods: str) -> Callable[[View], View]:
    """Make a view one for networks: no session and no form token, only ``methods``, no body beyond the bound."""

    def decorate(view: View) -> View:
        @csrf_exempt  # whoever asks has no session here; the signature says who it is
        @require_http_methods(methods)
        @wraps(view)
        def bounded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            length = request.META.get("CONTENT_LENGTH") or "0"
            is_number = length.isascii() and length.isdigit() and len(length) < 19  # int() refuses thousands of digits
            if not is_number or int(length) > MAX_BODY_BYTES:
                return not_understood()
            return view(request, *args, **kwargs)

        return bounded

    return decorate


def object_of(body: bytes | str) -> dict[str, Any] | None:
    """Return the JSON object of a body, ``None`` if it is anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def heard() -> HttpResponse:
    """Answer that nothing more is to be sent."""
    return HttpResponse("ok", content_type=TEXT)


def not_understood() -> HttpResponse:
    """Answer a request of no known kind."""
    return HttpResponse("not understood", status=400, content_type=TEXT)


def not_believed() -> HttpResponse:
    """Answer a request that nobody known has signed, or too long ago."""
    return HttpResponse("not believed", status=403, content_type=TEXT)
