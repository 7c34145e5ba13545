"""POST /predict: a photograph in, a task id out."""

import asyncio
import re
import secrets
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from producer_api.errors import RequestError, SlowUploadError
from producer_api.problems import problems
from producer_api.services import Services
from producer_api.uploads.multipart import parts
from producer_api.uploads.uploader import VISIBLE, hashed
from schemas.errors import ImageTooLargeError
from schemas.image import ImageEvent
from schemas.normalisation import MAX_UPLOAD_BYTES, Normalised
from schemas.topics import IMAGES

router = APIRouter(tags=["uploads"])

FRAME_BYTES: Final = 64 * 1024
"""What a multipart body may hold besides the photograph."""
_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_NAME: Final = re.compile(VISIBLE)


class Accepted(BaseModel):
    """Body of the answer to an upload: where its result will be."""

    task_id: str
    status_url: str
    events_url: str

    @classmethod
    def of(cls, task_id: str) -> "Accepted":
        """The addresses that belong to an id."""
        return cls(task_id=task_id, status_url=f"/result/{task_id}", events_url=f"/result/{task_id}/events")


_HEADERS: Final[list[dict[str, Any]]] = [
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
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or HEIC"},
                    "camera": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
                    "captured_at": {"type": "string", "format": "date-time", "description": "RFC 3339, with a zone"},
                },
            }
        }
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
    openapi_extra={"parameters": _HEADERS, "requestBody": _BODY},
)
async def predict(request: Request) -> JSONResponse:
    """Accept one photograph. 202 means that it is stored; 503 that this is not confirmed."""
    services: Services = request.app.state.services
    services.backpressure.check()
    uploader, idempotency_key = headers(request)
    with services.admission.reserve(body_bytes(request)):
        fields = await _read(request, services.settings.upload_seconds)
        photograph = fields.pop("file")
        task_id = (
            services.task_ids.derive(idempotency_key, uploader or "", photograph)
            if idempotency_key
            else services.task_ids.new()
        )
        event = image_event(task_id, await services.admission.normalise(photograph), uploader, request, fields)
    await services.acceptance.accept(IMAGES, event.envelope())
    accepted = Accepted.of(task_id)
    return JSONResponse(accepted.model_dump(), 202, {"Location": accepted.status_url})


def headers(request: Request) -> tuple[str | None, str | None]:
    """X-Uploader and Idempotency-Key, checked. Raises RequestError."""
    uploader, key = request.headers.get("x-uploader"), request.headers.get("idempotency-key")
    if uploader is not None and not (len(uploader) <= 128 and _NAME.fullmatch(uploader)):
        msg = "X-Uploader must be 1 to 128 visible ASCII characters"
        raise RequestError(msg, "Send a random name, such as a UUID.")
    if key is not None and not (16 <= len(key) <= 128 and _NAME.fullmatch(key)):
        msg = "Idempotency-Key must be 16 to 128 visible ASCII characters"
        raise RequestError(msg, "Send a UUID, new for each photograph and the same for its retries.")
    return uploader, key


def body_bytes(request: Request) -> int | None:
    """What the client says its body has; None where it does not. Raises ImageTooLargeError."""
    told = request.headers.get("content-length")
    if told is None:
        return None
    if int(told) > MAX_UPLOAD_BYTES + FRAME_BYTES:
        msg = f"the body has {int(told) / 2**20:.1f} MiB, {MAX_UPLOAD_BYTES // 2**20} are accepted"
        raise ImageTooLargeError(msg, "Send a smaller photograph.")
    return int(told)


def image_event(
    task_id: str, image: Normalised, uploader: str | None, request: Request, fields: dict[str, Any]
) -> ImageEvent:
    """The event of one upload. Raises RequestError for a malformed field."""
    traceparent = request.headers.get("traceparent", "")
    if not _TRACEPARENT.fullmatch(traceparent):
        traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    from_exif = image.captured_at if image.captured_at and image.captured_at.tzinfo else None
    try:
        return ImageEvent(
            id=task_id,
            key=task_id,
            jpeg=image.jpeg,
            accepted_at=datetime.now(UTC),
            camera=fields.get("camera"),
            captured_at=fields.get("captured_at", from_exif),
            uploader=hashed(uploader),
            traceparent=traceparent,
        )
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"{first['loc'][0]}: {first['msg']}"
        raise RequestError(msg, "Mend that field, or leave it out.") from error


async def _read(request: Request, seconds: float) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    try:
        async with asyncio.timeout(seconds):
            async for part in parts(request):
                if part.name == "file":
                    fields["file"] = part.data
                elif part.name in {"camera", "captured_at"} and part.data:
                    fields[part.name] = part.text
    except TimeoutError:
        msg = f"the body was not complete after {seconds:g} s"
        raise SlowUploadError(msg, "Send it again, over a better connection or smaller.") from None
    if "file" not in fields:
        msg = "there is no field named file"
        raise RequestError(msg, "Send the photograph in the multipart field `file`.")
    return fields
