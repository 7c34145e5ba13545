"""How much a request may bring where it brings no photograph."""

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer_api.problems import answer

MAX_BYTES: Final = 64 * 1024
"""Of JSON, which is read whole and parsed on the event loop; feedback has 1 KiB, an experiment 4."""
UPLOADS: Final = "/predict"
"""Addresses that have limits of their own begin so."""


class BodyLimit:
    """ASGI middleware that answers 413 to a longer body, at once where its length is declared."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is short enough."""
        if scope["type"] != "http" or scope["method"] not in {"POST", "PUT"} or scope["path"].startswith(UPLOADS):
            await self._app(scope, receive, send)
            return
        request, read = Request(scope, receive), 0
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MAX_BYTES:
            await (await answer(request, _too_large()))(scope, receive, send)
            return

        async def receiving() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BYTES:
                raise _too_large()
            return message

        await self._app(scope, receiving, send)


def _too_large() -> HTTPException:
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
