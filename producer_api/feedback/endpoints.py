"""POST /result/{task_id}/feedback."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field

from producer_api.problems import problems
from producer_api.services import ServicesHere
from producer_api.uploads.uploader import Uploader, hashed
from schemas.feedback import Feedback
from schemas.prediction import Label
from schemas.topics import FEEDBACK

router = APIRouter(tags=["feedback"])


class Correction(BaseModel):
    """What the photograph really shows."""

    model_config = ConfigDict(extra="forbid")

    label: Label
    note: str | None = Field(None, max_length=500)


class Noted(BaseModel):
    """The feedback is stored; the experiment's accuracy follows within seconds."""

    task_id: str
    label: Label


@router.post(
    "/result/{task_id}/feedback", status_code=202, responses=problems(404, 410, 413, 422, 503), response_model=Noted
)
async def give(
    task_id: str, correction: Correction, services: ServicesHere, x_uploader: Annotated[Uploader, Header()] = None
) -> Noted:
    """Tell the true label; a later one replaces an earlier. It may come before the result does."""
    task = services.task_ids.read(task_id)
    services.task_ids.refuse_expired(task.seconds)
    feedback = Feedback(
        image_id=task.text,
        label=correction.label,
        note=correction.note,
        by=hashed(x_uploader),
        given_at=datetime.now(UTC),
    )
    await services.acceptance.accept(FEEDBACK, feedback.envelope())
    return Noted(task_id=task.text, label=correction.label)
