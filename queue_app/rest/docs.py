"""The page to read the API by: Swagger UI from ninja's own files, under a policy that lets nothing else in."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase

from queue_app.rest.problems import Problem

# Swagger UI sets styles by attributes and has its icons as data: addresses; its scripts are files.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ReadableDocs(DocsBase):
    """Swagger UI without a request to anybody else."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **values: Any) -> HttpResponse:
        """Return the page; without ``ninja`` in INSTALLED_APPS there are no files for it."""
        if "ninja" not in settings.INSTALLED_APPS:
            raise Problem(HTTPStatus.NOT_FOUND, _("To read the API here, add “ninja” to INSTALLED_APPS."))
        swagger = {"url": self.get_openapi_url(api, values), "layout": "BaseLayout", "deepLinking": True}
        page = {"api": api, "swagger": swagger}
        response = render(request, "queue_app/rest_docs.html", page)
        response["Content-Security-Policy"] = POLICY
        return response
