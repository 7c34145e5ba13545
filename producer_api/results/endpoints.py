"""GET /result/{task_id}, at once or by long poll, and its event stream."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from producer_api.problems import problems
from producer_api.services import Services, ServicesHere
from schemas.result import Result

router = APIRouter(tags=["results"])

KEEP_ALIVE_SECONDS = 10
RECONNECT_MS = 1000


@router.get("/result/{task_id}", responses=problems(404, 410, 422, 503), response_model=Result)
async def result(
    task_id: str,
    services: ServicesHere,
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the result.")] = 0,
) -> Result:
    """What is known of a photograph: `queued`, `done` or `failed`. With `wait`, as soon as it is done."""
    task = services.task_ids.read(task_id)
    found = await services.notices.result(task.text, wait)
    if found is None:
        services.task_ids.refuse_expired(task)
    return found or Result(task_id=task.text, status="queued")


@router.get(
    "/result/{task_id}/events",
    responses={
        200: {
            "description": "Server-sent events: `queued`, then `done` or `failed`; each one's data is a Result.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "The stream that is being reconnected had already ended: an EventSource stops here."},
        **problems(404, 410, 503),
    },
    response_class=EventSourceResponse,
)
async def events(
    task_id: str, services: ServicesHere, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """The same as it happens. Ends after the final event."""
    if last_event_id == "end":
        return Response(status_code=204)
    task = services.task_ids.read(task_id)
    found = await services.store.read(task.text)
    if found is None:
        services.task_ids.refuse_expired(task)
    return EventSourceResponse(_events(services, task.text, found), ping=KEEP_ALIVE_SECONDS)


async def _events(services: Services, task_id: str, found: Result | None) -> AsyncIterator[ServerSentEvent]:
    if found is None:
        queued = Result(task_id=task_id, status="queued")
        yield ServerSentEvent(queued.model_dump_json(), event="queued", id="queued", retry=RECONNECT_MS)
        found = await services.notices.result(task_id, services.settings.stream_seconds)
    if found:
        yield ServerSentEvent(found.model_dump_json(), event=found.status, id="end")
