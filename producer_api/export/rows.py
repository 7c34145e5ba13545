"""Records as rows of a table."""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
from confluent_kafka import Message

from schemas.envelope import headers_of
from schemas.errors import EventError
from schemas.feedback import Feedback
from schemas.labels import OUTPUTS
from schemas.prediction import Prediction, UnservedArm
from schemas.result import from_ms

log = logging.getLogger(__name__)

Row = dict[str, Any]

_TIME: Final = pa.timestamp("ms", "UTC")
PREDICTIONS: Final = pa.schema(
    [
        ("image_id", pa.string()),
        ("camera", pa.string()),
        ("unauthenticated", pa.bool_()),
        ("captured_at", _TIME),
        ("queued_at", _TIME),
        ("done_at", _TIME),
        ("attempt", pa.int32()),
        ("experiment", pa.string()),
        ("experiment_version", pa.int32()),
        ("arm", pa.string()),
        ("model", pa.string()),
        ("version", pa.string()),
        ("unserved", pa.string()),
        ("engine", pa.string()),
        ("verdict", pa.string()),
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("gate", pa.float64()),
        *((f"p_{label}", pa.float64()) for label in OUTPUTS),
        *((feature, pa.float64()) for feature in ("brightness", "contrast", "red", "green", "blue")),
        ("inference_ms", pa.float64()),
        ("batch", pa.int32()),
        ("error", pa.string()),
        ("topic_id", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
    ]
)
FEEDBACK: Final = pa.schema(
    [
        ("image_id", pa.string()),
        ("true_label", pa.string()),
        ("note", pa.string()),
        ("by", pa.string()),
        ("given_at", _TIME),
    ]
)
RESULTS: Final = pa.schema([*PREDICTIONS, *list(FEEDBACK)[1:]])
"""Each photograph once, with the last feedback on it."""
IMAGE: Final = pa.field("image", pa.string())
"""Path of the photograph, below the directory given; null where its topic no longer holds it."""


def predictions(messages: Iterable[Message]) -> Iterator[Row]:
    """A row for each record."""
    for message, prediction in _events(Prediction, messages):
        yield _prediction(prediction, from_ms(message.timestamp()[1]))


def feedback(messages: Iterable[Message]) -> Iterator[Row]:
    """A row for each record."""
    for _, given in _events(Feedback, messages):
        yield _feedback(given)


def results(messages: Iterable[Message], feedback_messages: Iterable[Message]) -> Iterator[Row]:
    """A row for each photograph: the first answer counts; failures of those that never got one come last."""
    told = {given.image_id: _feedback(given) for _, given in _events(Feedback, feedback_messages)}
    answered: set[str] = set()
    failures: dict[str, Row] = {}
    for row in predictions(messages):
        image_id = row["image_id"]
        if row["error"] is not None:
            failures.setdefault(image_id, row)
        elif image_id not in answered:
            answered.add(image_id)
            yield row | told.get(image_id, {})
    for image_id, row in failures.items():
        if image_id not in answered:
            yield row | told.get(image_id, {})


def _events(kind: Any, messages: Iterable[Message]) -> Iterator[tuple[Message, Any]]:
    for message in messages:
        try:
            yield message, kind.read(message.key(), message.value(), headers_of(message))
        except EventError as error:
            log.warning("%s %d@%d is left out: %s", message.topic(), message.partition(), message.offset(), error)


def _prediction(prediction: Prediction, done_at: datetime) -> Row:
    source = prediction.source
    row: Row = {
        "image_id": prediction.image_id,
        "camera": prediction.camera,
        "unauthenticated": prediction.unauthenticated,
        "captured_at": prediction.captured_at,
        "queued_at": from_ms(source.timestamp_ms),
        "done_at": done_at,
        "attempt": prediction.attempt,
        "experiment": prediction.experiment,
        "experiment_version": prediction.experiment_version,
        "unserved": _unserved(prediction.unserved),
        "error": prediction.failure.error if prediction.failure else None,
        "topic_id": source.topic_id,
        "partition": source.partition,
        "offset": source.offset,
    }
    if prediction.features:
        row |= prediction.features.model_dump()
    if answer := prediction.answer:
        row |= answer.model_dump(exclude={"heatmap", "probabilities", "other"})
        probabilities = zip(OUTPUTS, [*answer.probabilities, answer.other], strict=True)
        row |= {f"p_{label}": probability for label, probability in probabilities}
    return row


def _unserved(arm: UnservedArm | None) -> str | None:
    """`experiment@version:arm` that should have answered."""
    return f"{arm.experiment}@{arm.experiment_version}:{arm.arm}" if arm else None


def _feedback(given: Feedback) -> Row:
    return {
        "image_id": given.image_id,
        "true_label": given.label,
        "note": given.note,
        "by": given.by,
        "given_at": given.given_at,
    }
