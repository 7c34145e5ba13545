"""The topic `leaf.experiments`, read to its end and written to."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from producer_api import metrics
from schemas.envelope import headers_of
from schemas.errors import BrokerUnavailableError, EventError, EventTooLargeError
from schemas.experiment import Experiment
from schemas.timeline import Timeline
from schemas.topics import EXPERIMENTS
from schemas.trial import read_record

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.1


class ExperimentLog:
    """Every definition in the topic; may be used from several threads.

    1. `read` asks where the topic ends now, and returns once all records before that are in the timeline.
    2. `append` returns once the broker has acknowledged the record with all in-sync replicas.

    Survives: the broker away (BrokerUnavailableError, the next call goes on), the topic made anew (read from its
    start), records that are no definitions (logged, counted and skipped).
    """

    def __init__(self, bootstrap: str, seconds: float) -> None:
        self._client = {"bootstrap.servers": bootstrap, "client.id": "leaf-experiments", "log_level": 0}
        self._seconds = seconds
        self._partition = TopicPartition(EXPERIMENTS.name, 0, OFFSET_BEGINNING)
        self._lock = threading.Lock()
        self._consumer: Consumer | None = None
        self._reached = 0
        self._timeline = Timeline()

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            if self._consumer:
                self._consumer.close()
                self._consumer = None

    def read(self) -> Timeline:
        """All definitions up to now. Raises BrokerUnavailableError."""
        with self._turn():
            consumer = self._consumer = self._consumer or self._assigned()
            deadline = time.monotonic() + self._seconds
            end = self._end(consumer, deadline)
            if end < self._reached:
                self._reached, self._timeline = 0, Timeline()
                consumer.assign([self._partition])
            while self._reached < end:
                if time.monotonic() > deadline:
                    msg = f"the experiments can't be read: only {self._reached} of {end} records came in time"
                    raise BrokerUnavailableError(msg, "Try again in a moment.")
                self._take(consumer.poll(0.1))
            return self._timeline

    def append(self, experiment: Experiment) -> None:
        """Store a definition. Raises BrokerUnavailableError where it is not confirmed, and EventTooLargeError."""
        outcome: list[KafkaError | None] = []
        # Not idempotent, which would take another half second: a duplicate of a definition changes nothing.
        producer = Producer({**self._client, "message.timeout.ms": int(self._seconds * 1000)})
        record = experiment.envelope()
        try:
            producer.produce(
                EXPERIMENTS.name,
                key=record.key,
                value=record.value,
                headers=record.headers(),
                partition=self._partition.partition,  # the embedded broker gives every topic several
                on_delivery=lambda error, _message: outcome.append(error),
            )
        except KafkaException as refused:  # larger than the client takes
            outcome.append(refused.args[0])
        producer.flush(self._seconds + 1)
        error = outcome[0] if outcome else KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001  its public name
        if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            raise EventTooLargeError(EXPERIMENTS.name, record.record_bytes)
        if error is not None:
            msg = f"{experiment.id} is not confirmed and may or may not be in force: {error.str()}"
            raise BrokerUnavailableError(msg, "Look with `leaf experiments show`, then try again.")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Alone. Raises BrokerUnavailableError rather than wait for longer than one reading may take."""
        if not self._lock.acquire(timeout=self._seconds):
            msg = "the experiments can't be read: others wait for Kafka already"
            raise BrokerUnavailableError(msg, "Try again in a moment; `leaf doctor` says what is wrong.")
        try:
            yield
        finally:
            self._lock.release()

    def _end(self, consumer: Consumer, deadline: float) -> int:
        while True:
            try:
                end: int = consumer.get_watermark_offsets(self._partition, timeout=self._seconds)[1]
            except KafkaException as error:
                if time.monotonic() < deadline:  # a topic just made has no leader yet
                    time.sleep(RETRY_SECONDS)
                    continue
                msg = f"the experiments can't be read: {error.args[0].str()}"
                raise BrokerUnavailableError(msg, "Try again in a moment; `leaf doctor` says what is wrong.") from error
            return end

    def _assigned(self) -> Consumer:
        consumer = Consumer({**self._client, "group.id": "leaf-experiments", "enable.partition.eof": True})
        consumer.assign([self._partition])
        self._reached, self._timeline = 0, Timeline()
        return consumer

    def _take(self, message: Message | None) -> None:
        if message is None:
            return
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
                self._reached = max(self._reached, message.offset())
            return
        self._reached = message.offset() + 1
        try:
            record = read_record(message.key(), message.value(), headers_of(message))
        except EventError as problem:
            metrics.SKIPPED.labels(EXPERIMENTS.name).inc()
            log.warning("record %d of %s is skipped: %s", message.offset(), EXPERIMENTS.name, problem)
            return
        if isinstance(record, Experiment):
            self._timeline = self._timeline.with_(record)
