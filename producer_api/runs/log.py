"""The topic `leaf.runs`, and what each run's consumer group has committed."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from schemas.errors import BrokerUnavailableError, EventError
from schemas.replay import Run, Tally
from schemas.topics import IMAGES, RUNS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Sums over a run's partitions."""

    passed: int
    """Images behind it, with those of other cameras."""
    tally: Tally


class RunLog:
    """Reads, and writes nothing: `leaf replay` defines and computes runs. Raises BrokerUnavailableError."""

    def __init__(self, bootstrap: str, seconds: float) -> None:
        self._client = {"bootstrap.servers": bootstrap, "client.id": "leaf-runs", "log_level": 0}
        self._seconds = seconds
        # A topic just made has no leader for a moment.
        again = retry_if_exception_type(BrokerUnavailableError)
        self._patiently = Retrying(retry=again, stop=stop_after_delay(seconds), wait=wait_fixed(0.1), reraise=True)

    def all(self) -> dict[str, Run]:
        """Every run by name, the newest first; the first record of a name counts."""
        consumer = Consumer({**self._client, "group.id": "leaf-runs", "enable.auto.commit": False})
        try:
            found = self._read(consumer)
        finally:
            consumer.close()
        return dict(sorted(found.items(), key=lambda item: item[1].defined_at, reverse=True))

    def progress(self, runs: Iterable[Run]) -> dict[str, Progress]:
        """How far these are, by name."""
        admin = AdminClient(self._client)
        asked = {run.name: (run, self._ask(admin, run)) for run in runs}
        with _answering():
            return {name: _progress(run, future.result().topic_partitions) for name, (run, future) in asked.items()}

    def _end(self, consumer: Consumer, place: TopicPartition) -> int:
        with _answering():
            end: int = consumer.get_watermark_offsets(place, timeout=self._seconds)[1]
        return end

    def _ask(self, admin: AdminClient, run: Run) -> Any:
        places = [TopicPartition(IMAGES.name, partition) for partition in run.start]
        request = ConsumerGroupTopicPartitions(run.group, places)
        return admin.list_consumer_group_offsets([request], request_timeout=self._seconds)[run.group]

    def _read(self, consumer: Consumer) -> dict[str, Run]:
        place = TopicPartition(RUNS.name, 0, OFFSET_BEGINNING)
        end = self._patiently(self._end, consumer, place)
        consumer.assign([place])
        found: dict[str, Run] = {}
        deadline = time.monotonic() + self._seconds
        while end and consumer.position([place])[0].offset < end:
            if time.monotonic() > deadline:
                msg = "the runs can't be read: not all records came in time"
                raise BrokerUnavailableError(msg, "Try again in a moment.")
            for message in consumer.consume(500, 0.1):
                if message.error():
                    continue
                try:
                    run = Run.read(message.key(), message.value(), message.headers())
                    found.setdefault(run.name, run)
                except EventError as error:
                    log.warning("record %d of %s is left out: %s", message.offset(), RUNS.name, error)
        return found


def _progress(run: Run, places: Iterable[TopicPartition]) -> Progress:
    committed = [place for place in places if place.offset >= 0]
    tallies = [Tally.read(place.metadata) for place in committed]
    return Progress(
        sum(min(place.offset, run.end[place.partition]) - run.start[place.partition] for place in committed),
        Tally(answered=sum(tally.answered for tally in tallies), failed=sum(tally.failed for tally in tallies)),
    )


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        msg = f"the runs can't be read: {error.args[0].str()}"
        raise BrokerUnavailableError(msg, "Try again in a moment; `leaf doctor` says what is wrong.") from error
