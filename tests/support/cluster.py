"""The topics of a test's broker: produce into the images topic, read what came of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from schemas.image import ImageEvent
from schemas.prediction import Prediction
from schemas.topics import FAILED, IMAGES, PARTITIONER, PREDICTIONS, UNPROCESSABLE

Position = tuple[int, int]

_patiently = retry(retry=retry_if_exception_type(KafkaException), wait=wait_fixed(0.5), stop=stop_after_delay(30))
"""A broker that was just started does not lead its partitions yet."""


@dataclass
class Cluster:
    """Reads whole topics, so keep them small."""

    bootstrap: str
    group: str = "leaf-workers"

    def __post_init__(self) -> None:
        self.producer = Producer(
            {"bootstrap.servers": self.bootstrap, "log_level": 0, "partitioner": PARTITIONER, "linger.ms": 2}
        )

    def produce(self, *events: ImageEvent) -> list[Position]:
        """Append image events; returns where they stand, in order."""
        return self.produce_records(*((e.envelope().headers(), e.key.encode(), e.jpeg) for e in events))

    def produce_records(
        self, *records: tuple[Sequence[tuple[str, bytes]], bytes | None, bytes | None]
    ) -> list[Position]:
        """Append (headers, key, value)."""
        positions: dict[int, Position] = {}

        def stored(number: int) -> Callable[[object, Message], None]:
            def note(error: object, message: Message) -> None:
                assert error is None
                positions[number] = (message.partition(), message.offset())

            return note

        for number, (headers, key, value) in enumerate(records):
            self.producer.produce(IMAGES.name, value=value, key=key, headers=list(headers), on_delivery=stored(number))
            self.producer.poll(0)
        self.producer.flush(20)
        return [positions[number] for number in range(len(records))]

    @_patiently
    def read(self, topic: str) -> list[Message]:
        """All records of a topic, each partition in order."""
        settings = {"group.id": "tests", "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 0}
        consumer = Consumer({"bootstrap.servers": self.bootstrap} | settings)
        try:
            partitions = set(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
            found = []
            while partitions:
                message = consumer.poll(20)
                assert message is not None, f"{topic} can't be read"
                if message.error() is None:
                    found.append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    partitions.discard(message.partition())
                else:
                    raise KafkaException(message.error())
            return found
        finally:
            consumer.close()

    def predictions(self) -> dict[Position, list[Prediction]]:
        """Source position -> what was said of it, in the order of the log. Checks the partition."""
        found: dict[Position, list[Prediction]] = {}
        for message in self.read(PREDICTIONS.name):
            prediction = Prediction.read(message.key(), message.value(), message.headers())
            assert message.partition() == prediction.source.partition
            found.setdefault((prediction.source.partition, prediction.source.offset), []).append(prediction)
        return found

    def dead_letters(self) -> dict[Position, Message]:
        """Source position -> its latest dead letter."""
        found = {}
        for topic in (UNPROCESSABLE.name, FAILED.name):
            for message in self.read(topic):
                headers = dict(message.headers())
                found[int(headers["dead_letter_partition"]), int(headers["dead_letter_offset"])] = message
        return found

    @_patiently
    def committed(self) -> dict[int, int]:
        """Partition -> the group's committed offset, where there is one."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.group})
        try:
            partitions = consumer.list_topics(IMAGES.name, timeout=10).topics[IMAGES.name].partitions
            offsets = consumer.committed([TopicPartition(IMAGES.name, p) for p in partitions], timeout=10)
            return {offset.partition: offset.offset for offset in offsets if offset.offset >= 0}
        finally:
            consumer.close()

    def state(self) -> ConsumerGroupState:
        """Of the group."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return admin.describe_consumer_groups([self.group])[self.group].result(10).state

    def wait_for(self, positions: Sequence[Position], seconds: float = 40) -> dict[Position, list[Prediction]]:
        """The predictions, as soon as each position has one."""
        deadline = time.monotonic() + seconds
        while missing := set(positions) - (found := self.predictions()).keys():
            assert time.monotonic() < deadline, f"{len(missing)} of {len(positions)} have no prediction: {missing}"
            time.sleep(0.2)
        return found
