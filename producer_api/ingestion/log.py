"""Looking at a topic's log without a consumer group: how far it goes, and what stands in it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from producer_api.ingestion.settings import IngestSettings
from schemas.errors import BrokerUnavailableError, ConfigurationError, LeafError
from schemas.topics import Topic

TIMEOUT_S: Final = 10
EMBEDDED_TOPIC_ID: Final = "embedded"


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
        try:
            while left:
                for message in consumer.consume(500, 1.0):
                    partition, at_end = message.partition(), _at_end(message)
                    if not at_end and message.offset() < ends[partition]:
                        yield message
                    if at_end or message.offset() + 1 >= ends[partition]:
                        left.discard(partition)
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
        answers = self._admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
        return {place.partition: _answer(future).offset for place, future in answers.items()}


def client_config(settings: IngestSettings) -> dict[str, Any]:
    """What every client here has in common; errors are raised or counted, not logged as well."""
    return {"bootstrap.servers": settings.kafka, "client.id": "leaf-ingest", "log_level": 0}


def unavailable(error: KafkaError) -> LeafError:
    """What a person is told."""
    return BrokerUnavailableError(
        f"Kafka does not answer: {error.str()}", "Start it with `leaf up`, or set KAFKA=host:port."
    )


def _answer(future: Any) -> Any:
    try:
        return future.result()
    except KafkaException as error:
        raise unavailable(error.args[0]) from error


def _at_end(message: Any) -> bool:
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF and not error.retriable():  # noqa: SLF001
        raise unavailable(error)
    return error is not None
