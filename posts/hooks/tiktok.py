"""What TikTok says by itself: an app was removed by its user, a post has come on.

It sends again for up to 72 hours what is not answered with 200. https://developers.tiktok.com/doc/webhooks-events
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from functools import partial

from django.http import HttpRequest, HttpResponse

from posts.hooks.requests import heard, hook, not_believed, not_understood, object_of
from posts.hooks.signatures import moment, tiktok_signed_at
from posts.services import events
from posts.services.sessions import app_of
from queue_app import clock

TIKTOK = "tiktok"
LEEWAY = timedelta(minutes=5)
REMOVED = "authorization.removed"
POSTS = "post.publish."


@hook("POST")
def notice(request: HttpRequest) -> HttpResponse:
    """Hear one notification of TikTok."""
    app, now = app_of(TIKTOK), clock.now()
    signed_at = tiktok_signed_at(request.body, request.headers.get("TikTok-Signature", ""), app.client_secret)
    if signed_at is None or abs(now - signed_at) > LEEWAY:
        return not_believed()
    said = object_of(request.body)
    if said is None or not isinstance(said.get("event"), str):
        return not_understood()
    if not hmac.compare_digest(str(said.get("client_key", "")).encode(), app.client_id.encode()):
        return not_believed()
    event, user, happened_at = said["event"], str(said.get("user_openid") or ""), moment(said.get("create_time"))
    content = said.get("content")
    about = object_of(content) if isinstance(content, str) else content if isinstance(content, dict) else None
    if event == REMOVED and user and happened_at is not None:
        act = partial(events.end_access, TIKTOK, [user], happened_at=happened_at)
        events.hear(TIKTOK, hashlib.sha256(request.body).hexdigest(), event, act)
    elif event.startswith(POSTS) and user and about is not None:
        # To look twice does no harm, so it need not be remembered.
        events.look_now(TIKTOK, user, [str(about.get("publish_id") or "")])
    return heard()
