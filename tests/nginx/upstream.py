"""A very small upstream: says what reached it, and by which process."""

import asyncio
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

EVERY = ["GET", "POST", "PUT"]


async def echo(request: Request) -> Response:
    if request.method == "HEAD":  # which Starlette takes together with GET, and FastAPI doesn't
        return Response(status_code=405)
    body = await request.body()
    return JSONResponse(
        {
            "process": os.getpid(),
            "method": request.method,
            "path": request.url.path,
            "host": request.headers["host"],
            "forwarded_for": request.headers["x-forwarded-for"],
            "bytes": len(body),
        }
    )


async def events(request: Request) -> Response:
    async def beats() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.5)

    return StreamingResponse(beats(), media_type="text/event-stream")


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params["wait"]))
    return JSONResponse({})


async def away(request: Request) -> Response:
    """What the API says without its broker; it also tries to weaken the policy."""
    return JSONResponse(
        {"title": "Not confirmed by the broker"},
        503,
        {"retry-after": "7", "content-security-policy": "default-src *"},
        media_type="application/problem+json",
    )


async def slash(request: Request) -> Response:
    """As FastAPI answers an address that has one slash too many."""
    return Response(status_code=307, headers={"location": f"http://{request.headers['host']}/docs"})


async def full_batch(request: Request) -> Response:
    """As a batch of 500 is answered: its id has 4,036 characters."""
    await request.body()
    return JSONResponse({"bytes": len(await request.body())}, 207, {"location": "/batch/" + 4036 * "x"})


app = Starlette(
    routes=[
        Route("/result/slow", slow),
        Route("/result/away", away),
        Route("/result/{task}/events", events),
        Route("/docs/", slash),
        Route("/predict/batch", full_batch, methods=["POST"]),
        Route("/{path:path}", echo, methods=EVERY),
    ]
)
