"""The addresses of the posts app: the outbox, uploads and their thumbnails. A site includes them where it likes."""

from __future__ import annotations

from django.urls import path

from posts import views
from posts.outbox import views as outbox_views

app_name = "posts"

urlpatterns = [
    path("outbox/", outbox_views.outbox, name="outbox"),
    path("outbox/<int:pk>/", outbox_views.outbox_post, name="outbox_post"),
    path("outbox/<int:pk>/pictures/<int:position>/", outbox_views.outbox_picture, name="outbox_picture"),
    path("media/upload/", views.upload, name="upload"),
    path("media/<uuid:uuid>/", views.thumbnail, name="thumbnail"),
]
