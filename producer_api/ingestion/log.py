"""Looking at a topic's log without a consumer group: how far it goes, and what stands in it."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from producer_api.ingestion.settings import IngestSettings
from schemas.errors import BrokerUnavailableError, ConfigurationError, LeafError
from schemas.topics import KAFKA_MAX_BYTES, MAX_BYTES, Topic

TIMEOUT_S: Final = 10
EMBEDDED_TOPIC_ID: Final = "embedded"
REMEDY: Final = "Start it with `leaf up`, or set KAFKA=host:port."


class Log:
    """One topic from outside. Each method raises BrokerUnavailableError where the broker does not answer in time."""

    def __init__(self, settings: IngestSettings, topic: Topic) -> None:
        self._config = client_config(settings)
        self._admin = AdminClient(self._config)
        self._embedded = settings.mode == "embedded"
        self._topic = topic.name
        self._partitions = self._find_partitions()

    def id(self) -> str:
        """The topic's Kafka id: another one once it is recreated."""
        if self._embedded:
            return EMBEDDED_TOPIC_ID
        described = self._admin.describe_topics(TopicCollection([self._topic]), request_timeout=TIMEOUT_S)
        return str(_answer(described[self._topic]).topic_id)

    def takes(self) -> int:
        """Bytes of the largest record that the topic takes; Kafka's default where the broker does not say."""
        if self._embedded:
            return KAFKA_MAX_BYTES
        resource = ConfigResource(ConfigResource.Type.TOPIC, self._topic)
        try:
            described = self._admin.describe_configs([resource], request_timeout=TIMEOUT_S)[resource].result()
        except KafkaException:  # no right to ask
            return KAFKA_MAX_BYTES
        return int(described[MAX_BYTES].value)

    def ends(self) -> dict[int, int]:
        """Partition to the offset that the next record will get."""
        return self._offsets(OffsetSpec.latest())

    def starts(self) -> dict[int, int]:
        """Partition to the oldest offset that is still kept."""
        return self._offsets(OffsetSpec.earliest())

    def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Any]:
        """Every record from `starts` to before `ends`, in order per partition."""
        left = {partition for partition, end in ends.items() if starts[partition] < end}
        consumer = self.consumer({partition: starts[partition] for partition in left})
        patience = time.monotonic() + TIMEOUT_S
        try:
            while left:
                for message in consumer.consume(500, 0.1):
                    error, partition = message.error(), message.partition()
                    if error is None and message.offset() < ends[partition]:
                        patience = time.monotonic() + TIMEOUT_S
                        yield message
                    if (error is None and message.offset() + 1 >= ends[partition]) or _is_end(error):
                        left.discard(partition)
                if time.monotonic() > patience:
                    msg = f"Kafka gives no records of {self._topic}"
                    raise BrokerUnavailableError(msg, REMEDY)
        finally:
            consumer.close()

    def consumer(self, starts: Mapping[int, int]) -> Consumer:
        """A consumer in no group that stands at these offsets."""
        own = {"group.id": "leaf-ingest-none", "enable.auto.commit": False, "enable.partition.eof": True}
        consumer = Consumer(self._config | own | {"auto.offset.reset": "earliest", "fetch.wait.max.ms": 50})
        consumer.assign([TopicPartition(self._topic, partition, offset) for partition, offset in starts.items()])
        return consumer

    def _find_partitions(self) -> list[int]:
        try:
            topic = self._admin.list_topics(self._topic, timeout=TIMEOUT_S).topics[self._topic]
        except KafkaException as error:
            raise unavailable(error.args[0]) from error
        if topic.error:
            msg = f"the topic {self._topic} does not exist"
            raise ConfigurationError(msg, "Create the topics with `leaf topics`.")
        return sorted(topic.partitions)

    def _offsets(self, spec: OffsetSpec) -> dict[int, int]:
        wanted = {TopicPartition(self._topic, partition): spec for partition in self._partitions}
        for attempt in _patiently():
            with attempt:
                answers = self._admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
                offsets = {place.partition: _answer(future).offset for place, future in answers.items()}
        return offsets


def client_config(settings: IngestSettings) -> dict[str, Any]:
    """What every client here has in common; errors are raised or counted, not logged as well."""
    return {"bootstrap.servers": settings.kafka, "client.id": "leaf-ingest", "log_level": 0}


def unavailable(error: KafkaError) -> LeafError:
    """What a person is told."""
    return BrokerUnavailableError(f"Kafka does not answer: {error.str()}", REMEDY)


def _answer(future: Any) -> Any:
    try:
        return future.result()
    except KafkaException as error:
        raise unavailable(error.args[0]) from error


def _patiently() -> Retrying:
    """A partition has no leader for a moment while its topic is made or its broker restarts."""
    again = retry_if_exception_type(BrokerUnavailableError)
    return Retrying(retry=again, stop=stop_after_delay(TIMEOUT_S), wait=wait_fixed(0.2), reraise=True)


def _is_end(error: KafkaError | None) -> bool:
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001
