"""The prediction event: what the models said of one image event, or why they could not."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.broker_time import LATEST_MS
from schemas.envelope import Envelope
from schemas.event import MAX_INT32, MAX_INT64, JsonEvent, Part
from schemas.image import CameraId, ImageId
from schemas.labels import LABELS, NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM

Verdict = Literal["diagnosed", "likely", "uncertain", "other_tomato_problem", "not_tomato_leaf"]
"""`diagnosed` and `likely` name a label, with the accuracies that the model's card states; the others do not."""
Label = Literal[
    "bacterial_spot",
    "early_blight",
    "healthy",
    "late_blight",
    "leaf_mold",
    "mosaic_virus",
    "septoria_leaf_spot",
    "spider_mites",
    "target_spot",
    "yellow_leaf_curl_virus",
]
RunName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Source(Part):
    """Where the image event stands in the log. With `topic_id` it is unique for ever, also once recreated."""

    topic: str
    topic_id: str
    partition: int = Field(ge=0, le=MAX_INT32)
    offset: int = Field(ge=0, le=MAX_INT64)
    timestamp_ms: int = Field(ge=0, le=LATEST_MS)
    """The broker's append time: queued_at, assignment, buckets and expiry all use it."""


class Heatmap(Part):
    """Class evidence of the answered label over the centre square of the image."""

    width: int
    height: int
    values: list[Annotated[int, Field(ge=0, le=255)]]
    """Row by row from the top left, 0 = none, 255 = most."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(self.values) != self.width * self.height:
            msg = "values must hold width x height numbers"
            raise ValueError(msg)
        return self


class Answer(Part):
    """One model's calibrated answer."""

    arm: str
    model: str
    version: str
    engine: str
    verdict: Verdict
    label: Label
    """Most probable of the ten, whatever the verdict."""
    confidence: float = Field(ge=0, le=1)
    """Calibrated probability of `label`."""
    probabilities: list[float] = Field(min_length=len(LABELS), max_length=len(LABELS))
    """Calibrated, in the order of `schemas.labels.LABELS`."""
    other: float = Field(0, ge=0, le=1)
    """Probability of a tomato leaf with a problem that is none of the ten: what `probabilities` lack to 1."""
    gate: float = Field(ge=0, le=1)
    """Probability that the photograph shows a tomato leaf."""
    heatmap: Heatmap | None = None
    batch: int = Field(ge=1, le=MAX_INT32)
    """How many images were computed together."""
    inference_ms: float = Field(ge=0)
    """Time of that batch in the engine."""

    @property
    def shown(self) -> str:
        """The label that counts as the answer: one of the ten, or what the verdict says instead."""
        return self.verdict if self.verdict in {NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM} else self.label

    @property
    def model_id(self) -> str:
        """`model@version`."""
        return f"{self.model}@{self.version}"


class Features(Part):
    """Means and contrast of the decoded photograph, 0 to 255: what drift is measured on."""

    brightness: float
    contrast: float
    red: float
    green: float
    blue: float


class Failure(Part):
    """Why there is no answer."""

    kind: Literal["unprocessable", "failed"]
    """`unprocessable`: no retry can help; `failed`: retries were used up."""
    error: str


class UnservedArm(Part):
    """The arm that an image was assigned to and that did not answer it: the worker could not load its model version."""

    experiment: str
    experiment_version: int = Field(le=MAX_INT32)
    arm: str
    model: str
    version: str


class Prediction(JsonEvent):
    """Value of `leaf.predictions` and, with `run`, of `leaf.replays`."""

    type: ClassVar[str] = "leaf.prediction.made"
    origin: ClassVar[str] = "/workers"

    image_id: ImageId
    source: Source
    camera: CameraId | None = None
    unauthenticated: bool = False
    """Whether the camera's name is only what a client said who did not authenticate."""
    captured_at: AwareDatetime | None = None
    attempt: int = Field(0, le=MAX_INT32)
    run: RunName | None = None
    """Replay run this belongs to; None on the live topic."""
    experiment: str | None = None
    experiment_version: int | None = Field(None, le=MAX_INT32)
    answer: Answer | None = None
    """What is shown to the user: the assigned arm's; with `unserved`, another version's under its own name."""
    unserved: UnservedArm | None = None
    """Set where the assigned arm could not answer; the image is then outside of the experiment."""
    shadows: tuple[Answer, ...] = ()
    """Computed as well, shown to nobody but analysts."""
    features: Features | None = None
    failure: Failure | None = None
    predicted_at: AwareDatetime
    """The worker's clock."""

    @model_validator(mode="after")
    def _answer_or_failure(self) -> Self:
        if (self.answer is None) == (self.failure is None):
            msg = "exactly one of answer and failure must be given"
            raise ValueError(msg)
        return self

    def envelope(self, key: str, traceparent: str | None = None) -> Envelope:
        """The record to produce, on the partition number `source.partition`."""
        return self._envelope(
            event_id=f"{self.run or 'live'}:{self.source.topic_id}:{self.source.partition}:{self.source.offset}",
            key=key,
            time=self.predicted_at,
            extensions={"imageid": self.image_id},
            traceparent=traceparent,
        )
