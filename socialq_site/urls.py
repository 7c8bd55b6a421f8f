"""The site's addresses: the admin, the API, whatever the posts app serves, and pages for monitors."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/", include("posts.rest.urls")),
    path("", include("posts.urls")),
    path("", include("queue_app.urls")),
]
