"""Errors of the API, as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpResponse, JsonResponse

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is refused: with which status, and what to do about it, in words."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def answer(problem: Problem) -> HttpResponse:
    """Return the response that tells of ``problem``; one of 401 names the way to come in."""
    status = problem.status
    told = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": problem.detail}
    response = JsonResponse(told, status=status.value, content_type=CONTENT_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="SocialQ"'
    return response
