"""Links from one page of the posts app to another."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from posts.models import Post


def post_link(post: Post) -> SafeString:
    """Return a link to the page of ``post``, with when it goes out and how it begins."""
    when = post.wall_time.replace("T", " ")[:16] if post.wall_time else ""
    url = reverse("admin:posts_post_change", args=[post.pk])
    return format_html('<a href="{}">{} “{}”</a>', url, when, post)
