"""One record of the images topic on its way through the worker."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from pydantic import TypeAdapter

from schemas.envelope import header
from schemas.image import ImageEvent, ImageId
from schemas.prediction import Answer, Failure, Features, Prediction, RunName, Source
from schemas.topics import IMAGES
from stream_workers.assignment import Assignment, Variant
from stream_workers.decoding import Decoded
from stream_workers.models import Model

LOG_APPEND_TIME: Final = 1
"""Kafka's timestamp type of records that the broker stamped."""
_MAX_ERROR_CHARS = 500
_MAX_NAME_BYTES = 1024
"""Of what a prediction takes over from its photograph: a camera's or image's id has 80, a trace context 55."""
_IMAGE_ID = TypeAdapter(ImageId)


class Position(NamedTuple):
    """Where a record stands in the images topic."""

    partition: int
    offset: int


@dataclass(eq=False, kw_only=True, slots=True)
class Photograph:
    """A record as it was read, and what is found out about it: the image event, pixels, answers or the failure."""

    position: Position
    timestamp_ms: int
    """The broker's append time; where it stamped none, the producer's or that of reading (`schemas.broker_time`)."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    appended: bool = True
    """Whether the broker stamped it (LogAppendTime)."""
    image: ImageEvent | None = None
    assignment: Assignment | None = None
    models: list[tuple[Variant, Model]] = field(default_factory=list)
    decoded: dict[int, Decoded] = field(default_factory=dict)
    """Side of a network's input in pixels -> the centre square for it."""
    features: Features | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    """Arm or shadow -> its answer."""
    failure: Failure | None = None

    def fail(self, kind: Literal["unprocessable", "failed"], error: BaseException | str) -> None:
        """Give up: nothing more is computed."""
        self.failure = Failure(kind=kind, error=str(error)[:_MAX_ERROR_CHARS] or type(error).__name__)
        self.decoded.clear()

    def prediction(self, topic_id: str, run: RunName | None = None) -> Prediction:
        """What the worker says of it."""
        image, assignment = self.image, self.assignment
        source = Source(
            topic=IMAGES.name,
            topic_id=topic_id,
            partition=self.position.partition,
            offset=self.position.offset,
            timestamp_ms=self.timestamp_ms,
        )
        answered = assignment is not None and self.failure is None
        return Prediction(
            image_id=image.id if image else self._id(topic_id),
            source=source,
            camera=image.camera if image else None,
            unauthenticated=image.unauthenticated if image else False,
            captured_at=image.captured_at if image else None,
            attempt=image.attempt if image else 0,
            run=run,
            experiment=assignment.experiment if assignment else None,
            experiment_version=assignment.experiment_version if assignment else None,
            answer=self.answers[assignment.answering.arm] if assignment and answered else None,
            unserved=assignment.unserved if assignment and answered else None,
            shadows=tuple(self.answers[s.arm] for s in assignment.shadows if s.arm in self.answers)
            if assignment and answered
            else (),
            features=self.features,
            failure=self.failure,
            predicted_at=datetime.now(UTC),
        )

    @property
    def prediction_key(self) -> bytes | None:
        """The record's own, unless it is so long that its prediction might not fit where the record did."""
        return self.key if self.key and len(self.key) <= _MAX_NAME_BYTES else None

    @property
    def traceparent(self) -> str | None:
        """The trace that goes on in the prediction, with the same exception."""
        traceparent = self.image.traceparent if self.image else None
        return traceparent if traceparent and len(traceparent) <= _MAX_NAME_BYTES else None

    def _id(self, topic_id: str) -> str:
        """The id in the headers of a record that is no image event, or one made of its position."""
        try:
            return _IMAGE_ID.validate_python(header(self.headers, "ce_id"))
        except ValueError:
            topic = re.sub(r"[^A-Za-z0-9_-]", "_", topic_id)
            return f"position-{topic}-{self.position.partition}-{self.position.offset}"
