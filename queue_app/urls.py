"""The addresses for monitors. A site includes them at its root."""

from __future__ import annotations

from django.urls import path

from queue_app import monitors

app_name = "queue_app"

urlpatterns = [
    path("health", monitors.health, name="health"),
    path("ready", monitors.ready, name="ready"),
    path("metrics", monitors.metrics, name="metrics"),
]
