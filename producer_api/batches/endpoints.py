"""POST /predict/batch and GET /batch/{id}."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from producer_api.batches.batch_id import BatchId
from producer_api.batches.intake import MAX_BATCH_BYTES, Intake, Refused
from producer_api.errors import EmptyBatchError
from producer_api.problems import problems
from producer_api.services import Services, ServicesHere
from producer_api.uploads.endpoints import SENDER_HEADERS
from producer_api.uploads.form import Headers
from schemas.normalisation import MAX_UPLOAD_BYTES
from schemas.result import Result

router = APIRouter(tags=["batches"])


class AcceptedBatch(BaseModel):
    """Body of the answer to a batch: `task_ids` in the order of the files that were accepted."""

    batch_id: str
    status_url: str
    task_ids: list[str]
    refused: list[Refused]


class Progress(BaseModel):
    """How far a batch is. The results are without heatmaps; `GET /result/{task_id}` has them."""

    batch_id: str
    total: int
    queued: int
    done: int
    failed: int
    results: list[Result]


_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "array", "maxItems": 500, "items": {"type": "string", "format": "binary"}},
        "camera": {"type": "string", "description": "Before the files it belongs to."},
    },
}


@router.post(
    "/predict/batch",
    status_code=202,
    response_model=AcceptedBatch,
    responses=problems(408, 413, 415, 422, 503),
    openapi_extra={
        "parameters": SENDER_HEADERS,
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
    },
)
async def predict_batch(request: Request) -> Response:
    """Accept many photographs, each in a field `file`. Those that can't be used are named and leave the rest alone.

    503 means that some may not be stored; the same request with the same Idempotency-Key then adds what is missing.
    """
    services: Services = request.app.state.services
    services.backpressure.check()
    headers = Headers.of(request, MAX_BATCH_BYTES)
    with services.admission.reserve(MAX_UPLOAD_BYTES):
        batch = BatchId.new(services.task_ids, headers.idempotency_key, headers.uploader)
        accepted, refused = await Intake(services, headers, batch).read(request)
    if not accepted:
        reason = refused[0].reason if refused else "there is no field named file"
        raise EmptyBatchError(reason, "Send each photograph in a multipart field `file`.")
    batch_id = batch.of(len(accepted)).text(services.task_ids)
    body = AcceptedBatch(batch_id=batch_id, status_url=f"/batch/{batch_id}", task_ids=accepted, refused=refused)
    return JSONResponse(body.model_dump(), 202, {"Location": body.status_url})


@router.get("/batch/{batch_id}", responses=problems(404, 410, 503))
async def progress(batch_id: str, services: ServicesHere) -> Progress:
    """How many of a batch are queued, done and failed, and each one's result."""
    batch = BatchId.read(batch_id, services.task_ids)
    members = [batch.member(services.task_ids, number) for number in range(batch.count)]
    found = await services.store.read_many(members)
    if not any(found):
        services.task_ids.refuse_expired(batch.seconds)
    results = [
        result.model_copy(update={"heatmap": None}) if result else Result(task_id=member, status="queued")
        for member, result in zip(members, found, strict=True)
    ]
    statuses = [result.status for result in results]
    return Progress(
        batch_id=batch_id,
        total=batch.count,
        queued=statuses.count("queued"),
        done=statuses.count("done"),
        failed=statuses.count("failed"),
        results=results,
    )
