"""The API as a whole: one NinjaAPI whose every answer is JSON, refusals included, with its description and a page.

A site with the queue alone includes ``queue_api().urls``; the posts app makes one of its own with both. Needs
django-ninja, which is the extra ``api`` of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.cache import add_never_cache_headers
from django.views.decorators.csrf import csrf_exempt

try:
    from ninja import NinjaAPI, Router
    from ninja.errors import HttpError, ValidationError
    from ninja.parser import Parser
except ModuleNotFoundError as error:  # pragma: no cover
    raise ImproperlyConfigured("The REST API needs django-ninja: pip install 'socialq[api]'") from error

from queue_app.rest import events, jobs, problems, queue
from queue_app.rest.docs import ReadableDocs
from queue_app.rest.problems import Problem
from queue_app.rest.schemas import ProblemOut, security_schemes
from queue_app.workers import software_version

DESCRIPTION = (
    "Every refusal is `application/problem+json` and says what to do next. Times are ISO 8601. "
    "Lists come in pages: pass `next` as `cursor`."
)


class _JsonRead(Parser):
    """Takes the body that was read and bounded before."""

    def parse_body(self, request: HttpRequest) -> Any:
        return request.json_body  # type: ignore[attr-defined]  # set by bodies.read_json


class Api(NinjaAPI):
    """A NinjaAPI whose views answer in JSON whatever happens, also HEAD, and that no cache keeps."""

    def __init__(self, title: str, routers: Iterable[Router]) -> None:
        super().__init__(
            title=title,
            version=software_version(),
            description=DESCRIPTION,
            docs=ReadableDocs(),
            urls_namespace="api",
            parser=_JsonRead(),
        )
        for kind in (*problems.HANDLED, Exception):
            self.answer_errors(kind, problems.of_exception)
        self.answer_errors(ValidationError, lambda _request, error: _told(problems.of_invalid(error.errors)))
        self.answer_errors(HttpError, lambda _request, error: _told(Problem(HTTPStatus(error.status_code), str(error))))
        for router in routers:
            self.add_router("", router)

    def answer_errors(self, kind: type[Exception], handler: Callable[[HttpRequest, Any], HttpResponse]) -> None:
        """Have errors of this kind, and those below it without a handler of their own, answered by ``handler``."""
        self.add_exception_handler(kind, handler)

    @property
    def urls(self) -> Any:
        """Return what ``path("api/", …)`` takes: the operations, then an answer for every other address."""
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            pattern.callback = self._guarded(pattern.callback)  # type: ignore[arg-type]  # a pattern has one
        nowhere = self._guarded(csrf_exempt(_nowhere))
        return [path("", nowhere), *patterns, path("<path:rest>", nowhere)], app_name, namespace

    def get_openapi_schema(self, **options: Any) -> Any:
        """Return the description of the API, with what all operations share."""
        schema = super().get_openapi_schema(**options)
        problem = ProblemOut.model_json_schema(ref_template="#/components/schemas/{model}")
        schema["components"]["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
        schema["components"]["securitySchemes"] = security_schemes()
        return schema

    def _guarded(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @transaction.non_atomic_requests  # services have transactions of their own, and errors are answered here
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **values: Any) -> HttpResponseBase:
            is_head = request.method == "HEAD"
            if is_head:
                request.method = "GET"
            try:
                response = view(request, *args, **values)
            except Exception as error:  # noqa: BLE001 -- every one is answered, and a bug logged, by its handler
                response = self.on_exception(request, error)
            if isinstance(response, HttpResponseNotAllowed):
                response = _told(problems.not_allowed(_methods(response["Allow"])))
            allowance = getattr(request, "allowance", None)
            for name, value in allowance.headers.items() if allowance is not None else ():
                response[name] = value
            add_never_cache_headers(response)
            return _without_body(response) if is_head else response

        return guarded


def queue_api() -> Api:
    """Return the API of a site that has the queue alone."""
    return Api("Queue", [*queue_routers(), events.router])


def queue_routers() -> list[Router]:
    """Return the operations on jobs and the queue; what happens to them is followed beside them."""
    return [jobs.router, queue.router]


def _nowhere(_request: HttpRequest, rest: str = "") -> HttpResponse:
    return _told(problems.no_address())


def _told(problem: Problem) -> HttpResponse:
    return problems.answer(problem)


def _methods(allowed: str) -> str:
    methods = {method.strip() for method in allowed.split(",")}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def _without_body(response: HttpResponseBase) -> HttpResponseBase:
    """Return the answer to HEAD: that to GET, with its length and without its body."""
    if isinstance(response, HttpResponse):
        response["Content-Length"] = str(len(response.content))
        response.content = b""
        return response
    response.close()
    return HttpResponse(status=response.status_code, headers=dict(response.items()))
