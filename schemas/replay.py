"""The replay run: which part of the images log is computed again, by which model, and how far that is."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from pydantic import AwareDatetime, BaseModel, Field, ValidationError, model_validator

from schemas.envelope import Envelope, headers_of
from schemas.errors import BrokerUnavailableError, EventError
from schemas.event import MAX_INT32, MAX_INT64, JsonEvent
from schemas.image import CameraId
from schemas.prediction import RunName
from schemas.topics import RUNS

log = logging.getLogger(__name__)


class Run(JsonEvent):
    """Value of `leaf.runs`; immutable: the first record of a name counts."""

    type: ClassVar[str] = "leaf.run.defined"
    origin: ClassVar[str] = "/replays"

    name: RunName
    topic_id: str
    """Id of the images topic the offsets belong to."""
    start: dict[int, int]
    """Partition to first offset."""
    end: dict[int, int]
    """Partition to the offset after the last, fixed when the run was defined."""
    cameras: tuple[CameraId, ...] = ()
    """Only these; empty: all."""
    model: str | None = Field(None, pattern=r"^[a-z0-9_]{1,40}@[a-z0-9.]{1,20}$")
    """`name@version`; None: as the experiments in force assigned."""
    defined_at: AwareDatetime
    asked_from: str | None = None
    """The start as it was asked for; `start` is what that meant when the run was defined."""
    asked_to: str | None = None

    @model_validator(mode="after")
    def _same_partitions(self) -> Self:
        if self.start.keys() != self.end.keys():
            msg = "start and end must name the same partitions"
            raise ValueError(msg)
        offsets = [*self.start.values(), *self.end.values()]
        if any(not 0 <= p <= MAX_INT32 for p in self.start) or any(not 0 <= at <= MAX_INT64 for at in offsets):
            msg = "start and end must name partitions and offsets that a topic can have"
            raise ValueError(msg)
        return self

    @property
    def group(self) -> str:
        """Consumer group of its workers: its committed offsets say how far the run is."""
        return f"leaf-replay-{self.name}"

    @property
    def length(self) -> int:
        """Images between the bounds, of all cameras."""
        return sum(max(0, self.end[partition] - start) for partition, start in self.start.items())

    def envelope(self) -> Envelope:
        """The record to produce."""
        return self._envelope(event_id=self.name, key=self.name, time=self.defined_at)


class Tally(BaseModel):
    """What came of a partition up to a committed offset; stands in that commit's metadata, so that both are one."""

    answered: int = 0
    failed: int = 0

    def metadata(self) -> str:
        """As a commit's metadata. Ends with a NUL: confluent-kafka's admin client reads past the end of any other."""
        return self.model_dump_json() + "\0"

    @classmethod
    def read(cls, metadata: str | None) -> Self:
        """Parse a commit's metadata; without any, nothing came of it yet."""
        try:
            return cls.model_validate_json((metadata or "{}").rstrip("\0"))
        except ValidationError:
            return cls()


@dataclass(frozen=True)
class Progress:
    """How far a run is: partition to what its workers committed of it."""

    run: Run
    offsets: dict[int, int]
    tallies: dict[int, Tally]

    @classmethod
    def of(cls, run: Run, places: Iterable[TopicPartition]) -> Self:
        """From the answer to a question for the group's offsets."""
        committed = {place.partition: place for place in places if place.offset >= 0}
        offsets = {partition: place.offset for partition, place in committed.items()}
        return cls(run, offsets, {partition: Tally.read(place.metadata) for partition, place in committed.items()})

    @property
    def passed(self) -> int:
        """Offsets that are behind the run, with those of other cameras and those that retention took."""
        return sum(min(offset, self.run.end[p]) - self.run.start[p] for p, offset in self.offsets.items())

    @property
    def answered(self) -> int:
        """Images with an answer."""
        return sum(tally.answered for tally in self.tallies.values())

    @property
    def failed(self) -> int:
        """Images that failed."""
        return sum(tally.failed for tally in self.tallies.values())

    @property
    def finished(self) -> bool:
        """Whether every partition is at its end."""
        return self.passed >= self.run.length


def read_runs(client: Mapping[str, Any], seconds: float) -> dict[str, Run]:
    """Every run by name; the first record of a name counts. `client`: librdkafka's settings.

    Raises BrokerUnavailableError where Kafka has not given all records after so many seconds.
    """
    own = {"group.id": "leaf-runs", "enable.auto.commit": False, "enable.partition.eof": True, "fetch.wait.max.ms": 10}
    consumer = Consumer({**client, **own})
    found: dict[str, Run] = {}
    deadline = time.monotonic() + seconds
    try:
        consumer.assign([TopicPartition(RUNS.name, 0, OFFSET_BEGINNING)])
        while time.monotonic() < deadline:
            for message in consumer.consume(500, 0.1):
                error = message.error()
                if error is None:
                    _add(message, found)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
                    return found
    finally:
        consumer.close()
    msg = "the runs can't be read: Kafka does not give all of them in time"
    raise BrokerUnavailableError(msg, "Try again in a moment; `leaf doctor` says what is wrong.")


def _add(message: Message, found: dict[str, Run]) -> None:
    try:
        run = Run.read(message.key(), message.value(), headers_of(message))
    except EventError as error:
        log.warning("record %d of %s is skipped: %s", message.offset(), RUNS.name, error)
    else:
        found.setdefault(run.name, run)
