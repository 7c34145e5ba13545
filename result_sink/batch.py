"""Kafka records as the script takes them."""

import logging
import re
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE, Message
from pydantic_core import to_json

from result_sink.fields import CounterSets, fields, shown
from result_sink.settings import SinkSettings
from schemas import counters
from schemas.broker_time import time_of
from schemas.envelope import Envelope, headers_of
from schemas.errors import EventError
from schemas.feedback import Feedback
from schemas.prediction import Prediction
from schemas.result import DONE_CHANNEL, result_key
from schemas.topics import DAY_MS, FEEDBACK, PREDICTIONS

log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[^\s:]{1,80}")
"""Counters are told apart by colons, and the script by white space."""
CHUNK_BITS: Final = 65536
"""Image offsets in one dedupe bitmap: 8 KiB."""


class Texts:
    """Texts that many records of a batch share, sent once: a record names its place, counted from 1 as in Lua."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}

    def place(self, text: Hashable) -> int:
        """Where the text stands."""
        return self._places.setdefault(text, len(self._places) + 1)

    def all(self) -> list[Any]:
        """The texts in order."""
        return list(self._places)


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
    channel: str | None
    malformed_at: int | None = None
    """When records were found that follow no contract, ms."""
    records: list[dict[str, Any]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    fields: Texts = field(default_factory=Texts)
    counters: Texts = field(default_factory=Texts)
    seen: Texts = field(default_factory=Texts)
    views: Texts = field(default_factory=Texts)

    def arguments(self) -> list[bytes]:
        """ARGV of the script."""
        header = {
            "partition": self.partition,
            "believed": str(self.believed),
            "next": str(self.next),
            "retention_ms": self.retention_ms,
            "records": self.records,
            "fields": self.fields.all(),
            "counters": self.counters.all(),
            "seen": self.seen.all(),
            "views": [dict(view) for view in self.views.all()],
        }
        if self.malformed_at is not None:
            header["malformed_at"] = str(self.malformed_at)
        if self.channel:
            header["channel"] = self.channel
        return [to_json(header), *self.payloads]


class Batcher:
    """Reads events and says what each of them changes in Redis; knows nothing of what is there already.

    A record that does not follow the contract is logged with its position, counted, and skipped.
    """

    def __init__(self, settings: SinkSettings) -> None:
        self._embedded = settings.mode == "embedded"
        self._retention_ms = int(settings.retention_days * DAY_MS)
        self._sets = CounterSets(settings)

    def batch(self, partition: str, believed: int, messages: list[Message]) -> Batch:
        """Messages of one partition, ascending."""
        channel = DONE_CHANNEL if messages[0].topic() == PREDICTIONS.name else None
        batch = Batch(partition, believed, int(messages[-1].offset() or 0) + 1, self._retention_ms, channel)
        malformed: list[str] = []
        for message in messages:
            value = b""
            try:
                envelope = Envelope.read(message.key(), message.value(), headers_of(message))
                record, value = self._record(batch, message, envelope), envelope.value
            except EventError as error:
                malformed.append(f"{message.topic()} {message.partition()}@{message.offset()}: {error}")
                record = {"kind": "malformed"}
            record["offset"] = message.offset()
            batch.records.append(record)
            batch.payloads.append(value)
        if malformed:
            batch.malformed_at = int(time.time() * 1000)
            log.warning("%d records follow no contract and are skipped, first %s", len(malformed), malformed[0])
        return batch

    def _record(self, batch: Batch, message: Message, envelope: Envelope) -> dict[str, Any]:
        topic = message.topic()
        if topic == FEEDBACK.name:
            given = Feedback.of(envelope)
            return {
                "kind": "feedback",
                "result": result_key(given.image_id),
                "feedback": counters.feedback_key(given.image_id),
                "label": given.label,
                "at": self._time(message, given.given_at),
            }
        prediction = Prediction.of(envelope)
        if (prediction.run is None) != (topic == PREDICTIONS.name):
            msg = "a run belongs into leaf.replays, and only a run: replays never touch live numbers"
            raise EventError(msg)
        if unusable := [name for name in _names(prediction) if not _NAME.fullmatch(name)]:
            msg = f"{unusable[0]!r} is no name of an arm, experiment or model"
            raise EventError(msg)
        return self._prediction(batch, prediction, self._time(message, prediction.predicted_at))

    def _time(self, message: Message, ce_time: datetime) -> int:
        """The broker's append time, ms; where it stamped none, as with the embedded broker, what comes closest."""
        kind, timestamp_ms = message.timestamp()
        known = kind != TIMESTAMP_NOT_AVAILABLE and not self._embedded
        return time_of(timestamp_ms if known else None, appended=kind == TIMESTAMP_LOG_APPEND_TIME, said=ce_time)

    def _prediction(self, batch: Batch, prediction: Prediction, done_at: int) -> dict[str, Any]:
        source, run = prediction.source, prediction.run
        chunk, bit = divmod(source.offset, CHUNK_BITS)
        seen = f"seen:{source.topic_id}:{source.partition}:{chunk}"
        record: dict[str, Any] = {
            "kind": "prediction",
            "image_id": prediction.image_id,
            "result": result_key(prediction.image_id, run),
            "bit": str(bit),
            "shown": shown(prediction.answer),
            "fields": [batch.fields.place(name) for name in fields(prediction, done_at)],
            "shadows": "".join(f"{shadow.arm} {shown(shadow)}\n" for shadow in prediction.shadows),
            "latency": max(0, done_at - source.timestamp_ms),
            "done_at": done_at,
        }
        if run is not None:
            # A replay's results are as old as the replay, not as the photographs.
            views = [_view(counters.run_results_key(run)), _view(counters.RUNS_KEY, run)]
            record["at"] = done_at
            record["seen"] = batch.seen.place(f"leaf:run:{run}:{seen}")
            record["counters"] = batch.counters.place(self._sets.of_run(run, done_at))
        else:
            views = _camera_views(prediction)
            record["at"] = source.timestamp_ms
            record["seen"] = batch.seen.place(f"leaf:{seen}")
            record["counters"] = batch.counters.place(self._sets.live(prediction))
            record["feedback"] = counters.feedback_key(prediction.image_id)
        record["views"] = [batch.views.place(view) for view in views]
        return record


def _names(prediction: Prediction) -> Iterator[str]:
    """What becomes part of a counter's name or field."""
    if prediction.experiment is not None:
        yield prediction.experiment
    for answer in (prediction.answer, *prediction.shadows):
        if answer is not None:
            yield from (answer.arm, answer.model, answer.version)
    if (unserved := prediction.unserved) is not None:
        yield from (unserved.experiment, unserved.arm)


def _camera_views(prediction: Prediction) -> list[tuple[tuple[str, str], ...]]:
    camera = prediction.camera
    if camera is None:
        return []
    views = [_view(counters.camera_results_key(camera))]
    if prediction.unauthenticated:
        return [*views, _view(counters.claimed_results_key(camera)), _view(counters.CLAIMED_CAMERAS_KEY, camera)]
    return [*views, _view(counters.CAMERAS_KEY, camera)]


def _view(key: str, member: str | None = None) -> tuple[tuple[str, str], ...]:
    """A sorted set and what is put into it; the image id where nothing is named."""
    return (("key", key),) if member is None else (("key", key), ("member", member))
