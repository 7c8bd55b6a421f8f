"""Forms with files: refused by their size before anything reads them; their token, which is in them, comes then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from posts.services.errors import NoRoom
from posts.uploads import BodyTooLargeError, BodyUnreadableError, BodyWithoutRoomError, read_body

View = Callable[..., HttpResponse]
# Answers a form that was not read: with what is wrong in words, and the status.
Refuse = Callable[[HttpRequest, str, int], HttpResponse]


def too_many_bytes(limit: int) -> str:
    """Return in words that a form has more than ``limit`` bytes."""
    return _("This is too large: at most %(limit)s bytes are taken. Nothing was saved.") % {"limit": f"{limit:,}"}


def with_limits(
    view: View,
    limits: Callable[[], Mapping[str, int]],
    refuse: Refuse,
    too_large: Callable[[int], str] = too_many_bytes,
) -> View:
    """Return ``view`` so that a form's files have at most ``limits``, those of ``posts.conf.upload_limits``.

    ``too_large`` says what is wrong with more, from the limit in bytes.
    """
    protected: View = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return protected(request, *args, **kwargs)
        try:
            read_body(request, **limits())
        except BodyTooLargeError as error:
            return refuse(request, too_large(error.max_bytes), 413)
        except BodyUnreadableError:
            return refuse(request, _("The form did not arrive completely. Nothing was saved."), 400)
        except BodyWithoutRoomError:
            return refuse(request, str(NoRoom(_("The file"))), 507)
        return protected(request, *args, **kwargs)

    return limited
