"""The site's addresses: the admin, the API, and whatever the posts app serves."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/", include("posts.rest.urls")),
    path("", include("posts.urls")),
]
