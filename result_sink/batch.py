"""Kafka records as the script takes them."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any, Final

from confluent_kafka import Message
from pydantic import ValidationError
from pydantic_core import to_json

from result_sink.fields import CounterSets, fields, shown
from result_sink.settings import SinkSettings
from schemas import counters
from schemas.errors import EventError
from schemas.feedback import Feedback
from schemas.prediction import Prediction
from schemas.result import DONE_CHANNEL, result_key
from schemas.topics import DAY_MS, FEEDBACK, PREDICTIONS

log = logging.getLogger(__name__)

CHUNK_BITS: Final = 65536
"""Image offsets in one dedupe bitmap: 8 KiB."""


@dataclass
class Batch:
    """Records of one partition in offset order.

    `partition` is the offset's field in Redis; the sink believes everything before `believed` to be applied, and
    `next` follows the last record.
    """

    partition: str
    believed: int
    next: int
    retention_ms: int
    records: list[dict[str, Any]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)

    def arguments(self) -> list[bytes]:
        """ARGV of the script."""
        header = {
            "partition": self.partition,
            "believed": str(self.believed),
            "next": str(self.next),
            "retention_ms": self.retention_ms,
            "records": self.records,
        }
        return [to_json(header), *self.payloads]


class Batcher:
    """Reads events and says what each of them changes in Redis; knows nothing of what is there already.

    A record that does not follow the contract is logged with its position, counted, and passed over.
    """

    def __init__(self, settings: SinkSettings) -> None:
        self._embedded = settings.mode == "embedded"
        self._retention_ms = int(settings.retention_days * DAY_MS)
        self._sets = CounterSets(settings)

    def batch(self, partition: str, believed: int, messages: list[Message]) -> Batch:
        """Messages of one partition, ascending."""
        made = Batch(partition, believed, int(messages[-1].offset() or 0) + 1, self._retention_ms)
        for message in messages:
            value = message.value() or b""
            try:
                made.records.append(self._record(message, value))
            except (ValidationError, EventError) as error:
                where = f"{message.topic()} {message.partition()}@{message.offset()}"
                log.warning("%s does not follow the contract and is passed over: %s", where, error)
                made.records.append({"kind": "malformed", "offset": message.offset()})
            made.payloads.append(value)
        return made

    def _record(self, message: Message, value: bytes) -> dict[str, Any]:
        topic = message.topic()
        if topic == FEEDBACK.name:
            given = Feedback.model_validate_json(value)
            record = self._feedback(given, self._time(message, given.given_at))
        else:
            prediction = Prediction.model_validate_json(value)
            if (prediction.run is None) != (topic == PREDICTIONS.name):
                msg = "a run belongs into leaf.replays, and only a run: replays never touch live numbers"
                raise EventError(msg)
            record = self._prediction(prediction, self._time(message, prediction.predicted_at))
        record["offset"] = message.offset()
        return record

    def _time(self, message: Message, ce_time: datetime) -> int:
        """The broker's append time, ms; the embedded broker has none."""
        return int(ce_time.timestamp() * 1000) if self._embedded else int(message.timestamp()[1])

    def _expiry(self, timestamp_ms: int) -> int:
        return ceil((timestamp_ms + self._retention_ms) / 1000)

    def _prediction(self, prediction: Prediction, done_at: int) -> dict[str, Any]:
        source, run = prediction.source, prediction.run
        chunk, bit = divmod(source.offset, CHUNK_BITS)
        # A replay's records are as old as the replay, not as the photographs.
        expire_at = self._expiry(source.timestamp_ms if run is None else done_at)
        record: dict[str, Any] = {
            "kind": "prediction",
            "image_id": prediction.image_id,
            "result": result_key(prediction.image_id, run),
            "seen": f"leaf:{'' if run is None else f'run:{run}:'}seen:{source.topic_id}:{source.partition}:{chunk}",
            "bit": bit,
            "shown": shown(prediction.answer),
            "fields": fields(prediction, max(0, done_at - source.timestamp_ms)),
            "done_at": done_at,
            "expire_at": expire_at,
            "views": [],
        }
        views = record["views"]
        if run is not None:
            record["counters"] = self._sets.of_run(run, done_at)
            views.append(_view(counters.run_results_key(run), prediction.image_id, source.timestamp_ms))
            views.append(_view(counters.RUNS_KEY, run, done_at))
            return record
        record["counters"] = self._sets.live(prediction)
        record["feedback"] = counters.feedback_key(prediction.image_id)
        record["channel"] = DONE_CHANNEL
        if (camera := prediction.camera) is not None:
            views.append(_view(counters.camera_results_key(camera), prediction.image_id, source.timestamp_ms))
            views.append(_view(counters.CAMERAS_KEY, camera, source.timestamp_ms))
        return record

    def _feedback(self, given: Feedback, timestamp_ms: int) -> dict[str, Any]:
        return {
            "kind": "feedback",
            "result": result_key(given.image_id),
            "feedback": counters.feedback_key(given.image_id),
            "label": given.label,
            "expire_at": self._expiry(timestamp_ms),
        }


def _view(key: str, member: str, score: int) -> dict[str, Any]:
    return {"key": key, "member": member, "score": score}
