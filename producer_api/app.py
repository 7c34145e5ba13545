"""The API application."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from producer_api import documentation, health, problems
from producer_api.analytics import endpoints as analytics
from producer_api.batches import endpoints as batches
from producer_api.body_limit import BodyLimit
from producer_api.cameras import endpoints as cameras
from producer_api.catalogue import endpoints as catalogue
from producer_api.experiments import endpoints as experiments
from producer_api.feedback import endpoints as feedback
from producer_api.headers import SecurityHeaders
from producer_api.memory import keep_freed
from producer_api.results import endpoints as results
from producer_api.runs import endpoints as runs
from producer_api.services import Services
from producer_api.settings import ApiSettings
from producer_api.uploads import endpoints as uploads
from producer_api.uploads.endpoints import Shortcut
from schemas import logs

DESCRIPTION = """Photographs of tomato leaves in, diagnoses out.

Errors are problem documents (RFC 9457) with `type`, `title`, `status`, `detail` and `remedy`."""


YOUNG_OBJECTS = 20_000
"""Objects made between two collections: uploads make no cycles, so what they leave is mostly still in use."""


class Api(FastAPI):
    """Whose OpenAPI document describes the body of every error."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        document = super().openapi()
        document["components"]["schemas"]["Problem"] = problems.Problem.model_json_schema()
        return document


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """The application of one process; settings come from the environment where none are given."""
    chosen = settings or ApiSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logs.configure(chosen.log_level)
        async with Services.running(chosen) as services:
            app.state.services = services
            app.openapi()  # takes a tenth of a second, which no request should wait for
            keep_freed()
            gc.freeze()  # what is loaded by now stays: no collection need walk over it again
            gc.set_threshold(YOUNG_OBJECTS)
            with _told_to_stop(services.notices.wake_all):
                yield

    app = Api(
        title="Leafstream",
        version="1.0.0",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems.problems(422, 500),
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looks at the environment for each request
    )
    problems.install(app)
    documentation.install(app)
    for room in (uploads, batches, results, feedback, cameras, catalogue, experiments, analytics, runs, health):
        app.include_router(room.router)
    app.add_middleware(BodyLimit)
    if chosen.mode == "embedded":
        app.add_middleware(SecurityHeaders)
        app.mount("/", StaticFiles(directory=chosen.frontend_dir, html=True))
    return app


def serve() -> Shortcut | FastAPI:
    """What the server runs: the application, with the uploads' shortcut where nginx adds the security headers."""
    settings = ApiSettings()
    app = create_app(settings)
    return app if settings.mode == "embedded" else Shortcut(app)


@contextmanager
def _told_to_stop(then: Callable[[], None]) -> Iterator[None]:
    """Call this as soon as the process is told to stop: the server itself first waits for the open requests to end."""
    loop = asyncio.get_running_loop()
    servers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(then)
        servers[number](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(server := signal.getsignal(number)):
            servers[number] = server
            signal.signal(number, told)
    try:
        yield
    finally:
        for caught, server in servers.items():
            signal.signal(caught, server)
