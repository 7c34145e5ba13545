"""POST /predict/batch and GET /batch/{id}."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from producer_api.batches.batch_id import BatchId
from producer_api.batches.intake import MAX_BATCH_BYTES, STORED, Intake, Outcome
from producer_api.errors import BatchNotConfirmedError, EmptyBatchError
from producer_api.problems import DEFAULT_RETRY_AFTER_S, Problem, problems
from producer_api.services import Services, ServicesHere
from producer_api.uploads.endpoints import SENDER_HEADERS
from producer_api.uploads.form import Headers
from schemas.errors import LeafError
from schemas.normalisation import MAX_UPLOAD_BYTES
from schemas.result import Result

router = APIRouter(tags=["batches"])


class AcceptedBatch(BaseModel):
    """Body of the answer to a batch of which something is stored."""

    batch_id: str
    status_url: str
    task_ids: list[str]
    """Of the photographs that are stored, each once, in the order of the files."""
    files: list[Outcome]
    """What became of each file, in their order."""
    uncounted: int
    """Files after the thousandth, which are not listed and not stored."""
    problem: Problem | None
    """Why the body was not read to its end, or not used as a whole; null: it was."""


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
        "captured_at": {"type": "string", "description": "RFC 3339, with a zone; before the one file it belongs to."},
    },
}


@router.post(
    "/predict/batch",
    status_code=202,
    response_model=AcceptedBatch,
    responses={
        202: {"description": "Every file is stored."},
        207: {"description": "Some files are stored; `files` says which are not, and why.", "model": AcceptedBatch},
        **problems(408, 413, 415, 422, 503),
    },
    openapi_extra={
        "parameters": SENDER_HEADERS,
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}},
    },
)
async def predict_batch(request: Request) -> Response:
    """Accept many photographs, each in a field `file`; each has an outcome of its own.

    202: all are stored. 207: some are, and `files` says which. If none is, the answer is a problem document that has
    `files` too: 503 if some may be stored, else what is wrong with the body or the first file. The same request with
    the same Idempotency-Key adds what is missing, and nothing twice.
    """
    services: Services = request.app.state.services
    services.backpressure.check()
    headers = Headers.of(request, MAX_BATCH_BYTES)
    intake = Intake(services, headers, BatchId.new(services.task_ids, headers.idempotency_key, headers.uploader))
    with services.admission.reserve(MAX_UPLOAD_BYTES):
        await intake.read(request)
    batch = intake.batch
    if not batch.tags:
        raise _nothing_stored(intake)
    batch_id = batch.text(services.task_ids)
    body = AcceptedBatch(
        batch_id=batch_id,
        status_url=f"/batch/{batch_id}",
        task_ids=[batch.member(services.task_ids, tag) for tag in batch.tags],
        files=intake.files,
        uncounted=intake.uncounted,
        problem=Problem.of(intake.problem) if intake.problem else None,
    )
    statuses = {one.status for one in intake.files}
    complete = statuses == {STORED} and not (intake.problem or intake.uncounted)
    answer = JSONResponse(body.model_dump(), 202 if complete else 207, {"Location": body.status_url})
    if HTTPStatus.SERVICE_UNAVAILABLE in statuses:
        answer.headers["Retry-After"] = str(DEFAULT_RETRY_AFTER_S)
    return answer


def _nothing_stored(intake: Intake) -> LeafError:
    """The answer where no file is stored, with what became of each as a member `files`."""
    unconfirmed = next((one for one in intake.files if one.status >= HTTPStatus.INTERNAL_SERVER_ERROR), None)
    error: LeafError
    if unconfirmed:
        error = BatchNotConfirmedError(unconfirmed.reason or "", unconfirmed.remedy or "")
    elif intake.problem:
        error = intake.problem
    else:
        reason = intake.files[0].reason or "" if intake.files else "there is no field named file"
        error = EmptyBatchError(reason, "Send each photograph in a multipart field `file`.")
    error.members = {"files": [one.model_dump() for one in intake.files]}
    return error


@router.get("/batch/{batch_id}", responses=problems(404, 410, 503))
async def progress(batch_id: str, services: ServicesHere) -> Progress:
    """How many of a batch are queued, done and failed, and each one's result."""
    batch = BatchId.read(batch_id, services.task_ids)
    members = [batch.member(services.task_ids, tag) for tag in batch.tags]
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
        total=len(members),
        queued=statuses.count("queued"),
        done=statuses.count("done"),
        failed=statuses.count("failed"),
        results=results,
    )
