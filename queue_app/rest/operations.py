"""One way to declare an operation of the API: its access, its answers, and all that stands before and behind it.

Order of a request: who asks, what they may, the body within its bound, the query, the Idempotency-Key, the operation,
the ETag. What an operation may answer is documented from the same declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router
from ninja.decorators import decorate_view

from queue_app.rest import bodies, etags, idempotency
from queue_app.rest.auth import Access, enter, leave
from queue_app.rest.problems import CONTENT_TYPE

View = Callable[..., Any]
Run = Callable[..., HttpResponseBase]
SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}
# What every operation may answer, whatever it does.
ALWAYS = (400, 401, 403, 405, 429, 500, 503)
OF_BODIES = (411, 413, 415, 422)
WITH_BODIES = ("POST", "PATCH", "PUT")


def operation(
    router: Router,
    method: str,
    path: str,
    access: Access,
    answers: Mapping[int, Any],
    *,
    refuses: tuple[int, ...] = (),
    versioned: bool = False,
    keeps_answer: bool = True,
    keeps_it_itself: bool = False,
    read_body: Callable[[HttpRequest], None] = bodies.read_json,
    streams: bool = False,
) -> Callable[[View], View]:
    """Make an operation of a function, which is called with the ``auth.Request`` and what ninja reads for it.

    Its name is the operationId; its docstring's first line the summary. ``answers`` are schemas by status. ``refuses``
    are statuses beyond those that all have: 404 comes with an id in ``path``, 409 and 422 with a body, 412 and ETags
    with ``versioned``. A POST is done once for each Idempotency-Key, in one transaction, unless ``keeps_answer`` is
    false: for what streams, or answers with a secret. One that is slow ``keeps_it_itself``, by ``idempotency``;
    ``read_body`` reads it in another form than JSON.
    One that ``streams`` answers with server-sent events, too.
    """
    is_kept = keeps_answer and method == "POST"
    told = _openapi(method, path, access, refuses, versioned=versioned, is_kept=is_kept or keeps_it_itself)
    if streams:
        told["parameters"] = [_header("Last-Event-ID", "The id of the last event that came; before `after`.")]
        told["responses"][200] = {"content": {"text/event-stream": {"schema": {"type": "string"}}}}

    def decorate(view: View) -> View:
        summary, _, more = (view.__doc__ or "").strip().partition("\n")
        declared = router.api_operation(
            [method],
            path,
            response=dict(answers),
            operation_id=view.__name__,
            summary=summary.rstrip("."),
            description=f"{' '.join(more.split())}\n\nScope of a key: `{access.scope}`.".strip(),
            openapi_extra=told,
        )(view)
        found = declared._ninja_operation  # type: ignore[attr-defined]  # noqa: SLF001 -- ninja's mark
        queries = [model for model in found.models if model.__ninja_param_source__ == "query"]
        known = {name for model in queries for name in model.__ninja_flatten_map__}
        read = read_body if method in WITH_BODIES else leave
        decorate_view(_door(access, read, known, is_kept=is_kept and not keeps_it_itself))(declared)
        return declared

    return decorate


def _door(
    access: Access, read_body: Callable[[HttpRequest], None], known: set[str], *, is_kept: bool
) -> Callable[[Run], Run]:
    def decorate(run: Run) -> Run:
        @wraps(run)
        def come_in(request: Any, **values: Any) -> HttpResponseBase:
            enter(request, access, read_body)
            bodies.require_known(request.GET, known)

            def work() -> HttpResponseBase:
                return etags.tagged(request, run(request, **values))

            return idempotency.once(request, work) if is_kept else work()

        return come_in

    return decorate


def _openapi(
    method: str, path: str, access: Access, refuses: tuple[int, ...], *, versioned: bool, is_kept: bool
) -> dict[str, Any]:
    """Return what is documented of an operation beside its own schemas."""
    has_body = method in WITH_BODIES
    statuses = {*ALWAYS, *refuses}
    statuses |= {404} if "{" in path else set()
    statuses |= {409, *OF_BODIES} if has_body else set()
    responses: dict[int, Any] = {}
    parameters = []
    if is_kept:
        key = {"minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}
        told = "Makes it safe to send the request again within 24 hours."
        parameters.append(_header(idempotency.HEADER, told, **key))
    if versioned and method == "GET":
        parameters.append(_header("If-None-Match", "The ETag that is known: 304 if nothing has changed since."))
        responses[304] = {"description": HTTPStatus.NOT_MODIFIED.phrase}
    if versioned and method in ("PATCH", "DELETE"):
        parameters.append(_header("If-Match", "The ETag that was read: 412 if somebody has changed it since."))
        statuses.add(412)
    for status in sorted(statuses):
        content = {CONTENT_TYPE: {"schema": PROBLEM_SCHEMA}}
        responses[status] = {"description": HTTPStatus(status).phrase, "content": content}
    return {
        "security": SECURITY,
        "x-scope": access.scope,
        "x-permissions": list(access.permissions),
        "responses": responses,
        **({"parameters": parameters} if parameters else {}),
    }


def _header(name: str, description: str, **bounds: Any) -> dict[str, Any]:
    schema = {"type": "string", **bounds}
    return {"in": "header", "name": name, "required": False, "description": description, "schema": schema}
