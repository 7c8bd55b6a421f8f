"""Reading what a request says as plain values: nonsense is no value, never an error."""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

NEXT = "next"
_WHOLE = re.compile(r"[0-9]{1,18}")


def whole_number(text: str | None) -> int | None:
    """Return the whole number that ``text`` writes in plain digits and a database can hold; else ``None``."""
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None


def next_page(request: HttpRequest) -> str:
    """Return where to go afterwards, if the request says so and it is a page of this site; else ""."""
    url = request.POST.get(NEXT) or request.GET.get(NEXT) or ""
    return url if url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure()) else ""
