"""The images topic as a replay sees it: which offsets there are, since when, and single records."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from schemas.errors import BrokerUnavailableError, ConfigurationError
from schemas.topics import IMAGES

TIMEOUT_S: Final = 10
REMEDY: Final = "Start it with `leaf up`, or set KAFKA=host:port."


@contextmanager
def answering() -> Iterator[None]:
    """Turns librdkafka's exceptions into BrokerUnavailableError."""
    try:
        yield
    except KafkaException as error:
        msg = f"Kafka does not answer: {error.args[0].str()}"
        raise BrokerUnavailableError(msg, REMEDY) from error


patiently = retry(
    retry=retry_if_exception_type(BrokerUnavailableError),
    stop=stop_after_delay(TIMEOUT_S),
    wait=wait_fixed(0.2),
    reraise=True,
)
"""A partition has no leader for a moment while its topic is made or its broker restarts."""


class ImagesTopic:
    """Each method raises BrokerUnavailableError where the broker does not answer in time."""

    def __init__(self, bootstrap: str) -> None:
        self._config = {"bootstrap.servers": bootstrap, "client.id": "leaf-replay", "log_level": 0}
        self._admin = AdminClient(self._config)
        with answering():
            topic = self._admin.list_topics(IMAGES.name, timeout=TIMEOUT_S).topics[IMAGES.name]
        if topic.error:
            msg = f"the topic {IMAGES.name} does not exist"
            raise ConfigurationError(msg, "Create the topics with `leaf topics`.")
        self.partitions: list[int] = sorted(topic.partitions)

    def oldest(self) -> dict[int, int]:
        """Partition to the oldest offset that is kept."""
        return self._offsets(OffsetSpec.earliest())

    def end(self) -> dict[int, int]:
        """Partition to the offset that the next image will get."""
        return self._offsets(OffsetSpec.latest())

    def since(self, moment: datetime) -> dict[int, int]:
        """Partition to the first offset whose broker timestamp is not earlier; the end where there is none."""
        found, end = self._offsets(OffsetSpec.for_timestamp(round(moment.timestamp() * 1000))), self.end()
        return {partition: end[partition] if offset < 0 else offset for partition, offset in found.items()}

    def read(self, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Any]:
        """The records at these partitions and offsets, without those that are not kept any more."""
        own = {"group.id": "leaf-replay-none", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        consumer = Consumer(self._config | own)
        found = {}
        try:
            for partition, offset in places:
                consumer.assign([TopicPartition(IMAGES.name, partition, offset)])
                message = consumer.poll(TIMEOUT_S)
                if message and not message.error() and message.offset() == offset:
                    found[partition, offset] = message
        finally:
            consumer.close()
        return found

    def oldest_time(self) -> datetime | None:
        """Broker timestamp of the oldest record that is kept; None in an empty topic."""
        end = self.end()
        held = [(partition, offset) for partition, offset in self.oldest().items() if offset < end[partition]]
        oldest_ms = min((message.timestamp()[1] for message in self.read(held).values()), default=None)
        return None if oldest_ms is None else datetime.fromtimestamp(oldest_ms / 1000, UTC)

    @patiently
    def _offsets(self, spec: OffsetSpec) -> dict[int, int]:
        wanted = {TopicPartition(IMAGES.name, partition): spec for partition in self.partitions}
        with answering():
            answers = self._admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
            return {place.partition: future.result().offset for place, future in answers.items()}
