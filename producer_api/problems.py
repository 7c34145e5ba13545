"""Every error as a problem document (RFC 9457): one handler, and what OpenAPI says of it."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Self

from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from producer_api.metrics import PROBLEMS
from schemas.errors import BrokerUnavailableError, LeafError

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
DEFAULT_RETRY_AFTER_S: Final = 2
_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class Problem(BaseModel):
    """Body of every answer that is an error."""

    type: str
    """`urn:leaf:problem:<kind>`, or `about:blank` where the status says it all."""
    title: str
    """The kind of problem, always the same for a type."""
    status: int
    detail: str
    """What is wrong this time."""
    remedy: str
    """What to do about it."""

    @classmethod
    def of(cls, error: LeafError) -> Self:
        """The document of an error of ours."""
        return cls(
            type=f"urn:leaf:problem:{error.kind}",
            title=error.title,
            status=error.status,
            detail=str(error),
            remedy=error.remedy,
        )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for these statuses."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


async def answer(request: Request, error: Exception) -> JSONResponse:
    """The one handler."""
    headers: dict[str, str] = {}
    members: Mapping[str, Any] = {}
    match error:
        case LeafError():
            found = Problem.of(error)
            members = error.members
        case RequestValidationError():
            found = _malformed(error)
        case KafkaError():  # that nobody translated: whatever was sent may be stored
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            msg = f"not confirmed: Kafka answered {type(error).__name__}"
            found = Problem.of(BrokerUnavailableError(msg, "Send it again, with the same Idempotency-Key."))
        case HTTPException(status_code=HTTPStatus.BAD_REQUEST):  # FastAPI's, for a body that it can't parse
            found = _unreadable()
        case HTTPException():
            headers.update(error.headers or {})
            if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                headers["Allow"] = ", ".join(_methods(request))
            found = _plain(error.status_code, request)
        case _:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            found = _plain(HTTPStatus.INTERNAL_SERVER_ERROR, request)
    PROBLEMS.labels(found.type.rpartition(":")[2]).inc()
    if found.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if found.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(getattr(error, "retry_after", DEFAULT_RETRY_AFTER_S))
    return JSONResponse(found.model_dump() | dict(members), found.status, headers, MEDIA_TYPE)


def _malformed(error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return Problem(
        type="urn:leaf:problem:request",
        title="The request is malformed",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        detail=f"{where}: {first['msg']}",
        remedy="See /docs for what this address takes.",
    )


def _unreadable() -> Problem:
    return Problem(
        type="urn:leaf:problem:request",
        title="The request is malformed",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        detail="the body is not JSON in UTF-8",
        remedy="See /docs for what this address takes.",
    )


def _methods(request: Request) -> list[str]:
    """Of all routes at this address; Starlette names those of the first only."""
    scope = dict(request.scope)
    found: set[str] = set()
    for method in _METHODS:
        scope["method"] = method
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            found.add(method)
    return sorted(found)


def _plain(status: int, request: Request) -> Problem:
    details = {
        404: (f"there is nothing at {request.url.path}", "See /docs for the addresses there are."),
        405: (f"{request.url.path} does not take {request.method}", "See the Allow header, or /docs."),
        413: ("the body is longer than this address takes", "See /docs for what it takes."),
        500: ("an error that nobody foresaw was logged", "Try again; if it stays, tell the operator the time."),
    }
    phrase = HTTPStatus(status).phrase
    detail, remedy = details.get(status, (phrase, "See /docs for what this address takes."))
    return Problem(type="about:blank", title=phrase, status=status, detail=detail, remedy=remedy)


def install(app: FastAPI) -> None:
    """Let every error of this app be answered here."""
    for kind in (LeafError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)
