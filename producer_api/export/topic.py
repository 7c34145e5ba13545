"""A topic's records of a range of time."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from schemas.errors import BrokerUnavailableError
from schemas.topics import Topic

SECONDS: Final = 15.0
"""How long Kafka may keep silent."""

Offsets = Mapping[int, tuple[int, int]]
"""Partition to first offset and the offset after the last."""


class Stretch(NamedTuple):
    """Part of a topic."""

    topic: Topic
    offsets: Offsets

    @property
    def records(self) -> int:
        """At most so many records."""
        return sum(max(0, end - start) for start, end in self.offsets.values())


class TopicReader:
    """Reads topics without being part of any group. Raises BrokerUnavailableError where Kafka does not answer."""

    def __init__(self, bootstrap: str, *, finds_times: bool = True) -> None:
        """`finds_times` is false for the embedded broker, which knows no offset of any time: its records are read."""
        self._finds_times = finds_times
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "leaf-export",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def between(self, topic: Topic, begin: datetime, end: datetime | None) -> Stretch:
        """The records that the broker appended from `begin` up to but without `end`; without an end, up to now."""
        try:
            return Stretch(topic, self._offsets(topic, begin, end))
        except KafkaException as error:
            msg = f"{topic.name} can't be read: {error.args[0].str()}"
            raise BrokerUnavailableError(msg, "See that Kafka runs and that KAFKA=host:port names it.") from error

    def read(self, stretch: Stretch) -> Iterator[Message]:
        """Its records, partition by partition, in order."""
        for number, (start, end) in sorted(stretch.offsets.items()):
            if start < end:
                self._consumer.assign([TopicPartition(stretch.topic.name, number, start)])
                yield from self._until(end)

    def _until(self, end: int) -> Iterator[Message]:
        deadline = time.monotonic() + SECONDS
        while True:
            for message in self._consumer.consume(500, 0.1):
                deadline = time.monotonic() + SECONDS
                error = message.error()
                if error is None and (message.offset() or 0) < end:
                    yield message
                if (error is None or error.code() == KafkaError._PARTITION_EOF) and (  # noqa: SLF001
                    (message.offset() or 0) + (error is None) >= end
                ):
                    return
            if time.monotonic() > deadline:
                msg = f"Kafka sent nothing for {SECONDS:g} s"
                raise BrokerUnavailableError(msg, "Run the export again; nothing was written.")

    @retry(retry=retry_if_exception_type(KafkaException), stop=stop_after_delay(10), wait=wait_fixed(0.2), reraise=True)
    def _offsets(self, topic: Topic, begin: datetime, end: datetime | None) -> Offsets:
        numbers = list(self._consumer.list_topics(topic.name, timeout=SECONDS).topics[topic.name].partitions)
        starts = self._at(topic, numbers, begin)
        ends = self._at(topic, numbers, end) if end else {}
        offsets = {}
        for number in numbers:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=SECONDS)
            # -1: no record is that late.
            start, stop = (high if at < 0 else at for at in (starts[number], ends.get(number, high)))
            offsets[number] = max(start, low), stop
        return offsets

    def _at(self, topic: Topic, numbers: list[int], moment: datetime) -> dict[int, int]:
        at_ms = int(moment.timestamp() * 1000)
        if not self._finds_times:
            return {number: self._first(topic, number, at_ms) for number in numbers}
        asked = [TopicPartition(topic.name, number, at_ms) for number in numbers]
        return {found.partition: found.offset for found in self._consumer.offsets_for_times(asked, timeout=SECONDS)}

    def _first(self, topic: Topic, number: int, at_ms: int) -> int:
        bounds = self._consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=SECONDS)
        found = self.read(Stretch(topic, {number: bounds}))
        return next((message.offset() or 0 for message in found if message.timestamp()[1] >= at_ms), -1)
