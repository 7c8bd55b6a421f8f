"""What the API's descriptions share: ids, the form of a refusal, and the two ways to come in."""

from __future__ import annotations

from typing import Annotated, Any

from django.conf import settings
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

LARGEST_ID = 2**63 - 1


def whole(value: object) -> object:
    """Return a number without a fraction as an integer, which it is in JSON: ``1.0`` is 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Id = Annotated[int, Field(ge=1, le=LARGEST_ID), BeforeValidator(whole)]
Limit = Annotated[int, Field(ge=1, le=100, description="How many rows a page has.")]
Cursor = Annotated[str, Field(max_length=500, description="`next` of the page before; none for the first page.")]


def with_examples(*bodies: dict[str, Any]) -> ConfigDict:
    """Return the configuration of a body whose description shows ``bodies``."""
    return ConfigDict(json_schema_extra={"examples": list(bodies)})


class ErrorOut(BaseModel):
    """One thing that is wrong."""

    path: str = Field(description="Where in the request, as in `accounts.0`.", examples=["accounts.0"])
    message: str
    account: int | None = Field(None, description="The account that it concerns alone.")


class ProblemOut(BaseModel):
    """A refusal, by RFC 9457."""

    model_config = ConfigDict(title="Problem", json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="What was refused, and what to do next.")
    errors: list[ErrorOut] = Field(default=[], description="What is wrong, one by one.")


def security_schemes() -> dict[str, Any]:
    """Return the two ways to come in, as OpenAPI describes them."""
    signed_in = "Being signed in; what changes something needs the header `X-CSRFToken`, too."
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `sq_…`."},
        "session": {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": signed_in},
    }
