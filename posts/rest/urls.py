"""The addresses of the API. A site includes them where it likes: ``path("api/", include("posts.rest.urls"))``."""

from __future__ import annotations

from django.urls import path

from posts.rest.api import posts_api

urlpatterns = [path("", posts_api().urls)]
