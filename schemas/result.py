"""What the sink keeps in Redis for each photograph, and what the API tells of it."""

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel

from schemas.broker_time import LATEST_MS
from schemas.labels import DISPLAY_NAMES, LABELS, NONE_OF_THE_TEN, OTHER_TOMATO_PROBLEM
from schemas.prediction import Heatmap, Label, Prediction, Verdict

DONE_CHANNEL = "leaf:done"
"""Pub/sub channel on which the sink's script says each image id whose live result it wrote."""

PREDICTION_FIELD = "prediction"
"""Field of the result hash: the prediction event's JSON."""
SHOWN_FIELD = "shown"
"""Field of the result hash: what counts as the answer, `Answer.shown`, or `failed`."""
DONE_AT_FIELD = "done_at"
"""Field of the result hash: the prediction's broker timestamp, ms."""


def result_key(image_id: str, run: str | None = None) -> str:
    """Redis hash of one photograph's result, live or of a replay run."""
    return f"leaf:result:{image_id}" if run is None else f"leaf:run:{run}:result:{image_id}"


class TopLabel(BaseModel):
    """One of the three most probable labels."""

    label: Label
    display_name: str
    probability: float


class Result(BaseModel):
    """Body of `GET /result/{task_id}`; everything but the first two is null until it is known."""

    task_id: str
    status: Literal["queued", "done", "failed"]
    verdict: Verdict | None = None
    label: Label | None = None
    display_name: str | None = None
    confidence: float | None = None
    top3: list[TopLabel] = []
    model: str | None = None
    version: str | None = None
    experiment: str | None = None
    arm: str | None = None
    heatmap: Heatmap | None = None
    queued_at: AwareDatetime | None = None
    done_at: AwareDatetime | None = None
    error: str | None = None
    unauthenticated: bool = False
    """Whether the name of its camera came from a client that did not authenticate."""

    @classmethod
    def of(cls, prediction: Prediction, done_at_ms: int) -> Self:
        """The view of a prediction that was appended to its topic at `done_at_ms`."""
        common = cls(
            task_id=prediction.image_id,
            status="failed",
            experiment=prediction.experiment,
            queued_at=from_ms(prediction.source.timestamp_ms),
            done_at=from_ms(done_at_ms),
            unauthenticated=prediction.unauthenticated,
        )
        answer = prediction.answer
        if answer is None:
            error = prediction.failure.error if prediction.failure else None
            return common.model_copy(update={"error": error})
        other = answer.verdict == OTHER_TOMATO_PROBLEM
        ranked = sorted(zip(answer.probabilities, LABELS, strict=True), reverse=True)[:3]
        return common.model_copy(
            update={
                "status": "done",
                "verdict": answer.verdict,
                "label": answer.label,
                "display_name": NONE_OF_THE_TEN if other else DISPLAY_NAMES[answer.label],
                "confidence": answer.confidence,
                "top3": [
                    TopLabel.model_validate({"label": name, "display_name": DISPLAY_NAMES[name], "probability": p})
                    for p, name in ranked
                ],
                "model": answer.model,
                "version": answer.version,
                "arm": answer.arm,
                "heatmap": answer.heatmap,
            }
        )


def from_ms(timestamp_ms: int) -> datetime:
    """A record's timestamp as an aware datetime; what a datetime can't hold becomes the nearest that it can."""
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), LATEST_MS) / 1000, UTC)
