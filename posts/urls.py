"""The addresses of the posts app: the outbox, uploads and thumbnails, files for networks that fetch them.

A site includes them where it likes. Those of the API are in ``posts.rest.urls``.
"""

from __future__ import annotations

from django.urls import path

from posts import views
from posts.hooks import meta, telegram, tiktok
from posts.outbox import views as outbox_views

app_name = "posts"

urlpatterns = [
    path("outbox/", outbox_views.outbox, name="outbox"),
    path("outbox/<int:pk>/", outbox_views.outbox_post, name="outbox_post"),
    path("outbox/<int:pk>/pictures/<int:position>/", outbox_views.outbox_picture, name="outbox_picture"),
    path("media/signed/<str:token>/<str:name>", views.signed_media, name="signed_media"),
    path("media/upload/", views.upload, name="upload"),
    path("media/<uuid:uuid>/", views.thumbnail, name="thumbnail"),
    path("hooks/meta/", meta.changes, name="meta_changes"),
    path("hooks/meta/deauthorize/", meta.deauthorize, name="meta_deauthorize"),
    path("hooks/meta/deletion/", meta.data_deletion, name="meta_data_deletion"),
    path("hooks/meta/deletion/<slug:code>/", meta.deletion_status, name="meta_deletion"),
    path("hooks/tiktok/", tiktok.notice, name="tiktok_notice"),
    path("hooks/telegram/<str:address>", telegram.updates, name="telegram_updates"),
]
