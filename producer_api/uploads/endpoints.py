"""POST /predict: a photograph in, a task id out."""

from functools import partial
from typing import Any, Final, Self

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from producer_api.problems import answer, problems
from producer_api.services import Services
from producer_api.uploads.event import image_event
from producer_api.uploads.form import Form, Headers
from producer_api.uploads.uploader import VISIBLE
from schemas.topics import IMAGES

router = APIRouter(tags=["uploads"])


class Accepted(BaseModel):
    """Body of the answer to an upload: where its result will be."""

    task_id: str
    status_url: str
    events_url: str

    @classmethod
    def of(cls, task_id: str) -> Self:
        """The addresses that belong to an id."""
        return cls(task_id=task_id, status_url=f"/result/{task_id}", events_url=f"/result/{task_id}/events")


SENDER_HEADERS: Final[list[dict[str, Any]]] = [
    {
        "name": "X-Uploader",
        "in": "header",
        "description": "A random name the client keeps: groups its uploads without saying who it is.",
        "schema": {"type": "string", "maxLength": 128, "pattern": VISIBLE},
    },
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same for each retry of one photograph, which then counts once. Best a UUIDv7.",
        "schema": {"type": "string", "minLength": 16, "maxLength": 128, "pattern": VISIBLE},
    },
]
_IMAGE: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or HEIC"},
        "camera": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
        "captured_at": {"type": "string", "format": "date-time", "description": "RFC 3339, with a zone"},
    },
}


@router.post(
    "/predict",
    status_code=202,
    response_model=Accepted,
    responses={
        202: {"headers": {"Location": {"description": "Where the result will be.", "schema": {"type": "string"}}}},
        **problems(408, 413, 415, 422, 503),
    },
    openapi_extra={
        "parameters": SENDER_HEADERS,
        "requestBody": {
            "required": True,
            "description": "A form, or the photograph itself.",
            "content": {"multipart/form-data": {"schema": _FORM}, "image/*": {"schema": _IMAGE}},
        },
    },
)
async def predict(request: Request) -> Response:
    """Accept one photograph. 202 means that it is stored; 503 that this is not confirmed."""
    services: Services = request.app.state.services
    services.backpressure.check()
    headers = Headers.of(request)
    with services.admission.reserve(headers.body_bytes):
        form = await Form.read(request, services.settings.upload_seconds)
        image = await services.admission.normalise(form.photograph)
        task_id = await _task_id(services, headers, form.photograph)
        event = image_event(task_id, image, form, headers)
        services.backpressure.check(event.key)
        del form  # what was uploaded need not wait for the broker: nothing is reserved for it from here on
    await services.acceptance.accept(IMAGES, event.envelope())
    accepted = Accepted.of(task_id)
    return Response(accepted.model_dump_json(), 202, {"Location": accepted.status_url}, "application/json")


async def _task_id(services: Services, headers: Headers, photograph: bytes) -> str:
    """A new id, of a partition that is not behind, or the one that belongs to the client's key."""
    key, ids = headers.idempotency_key, services.task_ids
    if key is None:
        return services.backpressure.open_key(ids.new)
    made = partial(ids.derive, key, headers.uploader or "", photograph)
    return await services.admission.beside(len(photograph), made)


class Shortcut:
    """Stands before the application: uploads go straight to `predict`, past routing and wrappers that cost as much."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an upload, errors included, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != "/predict" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        request = Request(scope, receive)
        try:
            response = await predict(request)
        except Exception as error:  # noqa: BLE001  as Starlette does: it is answered and logged there
            response = await answer(request, error)
        await response(scope, receive, send)
