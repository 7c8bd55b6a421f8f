"""The addresses of the API."""

from __future__ import annotations

from django.urls import path

from posts.rest import views

urlpatterns = [
    path("posts/<int:pk>", views.post, name="api_post"),
    path("deliveries/<int:pk>", views.delivery, name="api_delivery"),
    path("jobs/<int:pk>", views.job, name="api_job"),
    path("<path:rest>", views.nothing),
]
