"""GET /result/{task_id}, at once or by long poll, and its event stream."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from producer_api.problems import problems
from producer_api.results.reader import Reader, ReaderHere
from schemas.errors import LeafError
from schemas.result import Result

router = APIRouter(tags=["results"])

KEEP_ALIVE_SECONDS: Final = 10
STOP_SECONDS: Final = 2
"""Streams end by themselves when the process is told to stop; after this time they are cut."""
RECONNECT_MS: Final = 1000
LAST_EVENT: Final = "end"
"""Id of the event after which nothing comes."""


@router.get("/result/{task_id}", responses=problems(401, 403, 404, 410, 422, 503))
async def result(
    reader: ReaderHere, wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the result.")] = 0
) -> Result:
    """What is known of a photograph: `queued`, `done` or `failed`. With `wait`, as soon as it is done."""
    return await reader.result(wait)


@router.get(
    "/result/{task_id}/events",
    responses={
        200: {
            "description": "Server-sent events: `queued`, then `done` or `failed`; each one's data is a Result.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "The stream that is being reconnected had already ended: an EventSource stops here."},
        **problems(401, 403, 404, 410, 422, 503),
    },
    response_class=EventSourceResponse,
)
async def events(reader: ReaderHere, last_event_id: Annotated[str | None, Header()] = None) -> Response:
    """The same as it happens. Ends after the final event."""
    if last_event_id == LAST_EVENT:
        return Response(status_code=204)
    told = _events(reader, await reader.result(wait=0))
    return EventSourceResponse(told, ping=KEEP_ALIVE_SECONDS, shutdown_grace_period=STOP_SECONDS)


async def _events(reader: Reader, found: Result) -> AsyncIterator[ServerSentEvent]:
    if found.status == "queued":
        yield ServerSentEvent(found.model_dump_json(), event="queued", id="queued", retry=RECONNECT_MS)
        try:
            found = await reader.result(reader.services.settings.stream_seconds)
        except LeafError:
            return  # the answer has begun, so that no status can tell it: whoever asks again is told
    if found.status != "queued":
        yield ServerSentEvent(found.model_dump_json(), event=found.status, id=LAST_EVENT)
