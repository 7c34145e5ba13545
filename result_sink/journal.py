"""What the broker knows of the sink's topics: their ids, and where each partition's log starts and ends."""

from concurrent.futures import Future
from typing import Final, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec, TopicDescription

from result_sink.settings import TOPICS, SinkSettings
from schemas.errors import ConfigurationError

Answer = TypeVar("Answer")
SECONDS: Final = 5.0
"""How long the broker may take to answer."""
EMBEDDED_ID: Final = "embedded"
"""The embedded broker tells no topic ids, and does not live to see a topic recreated."""


class Bounds(NamedTuple):
    """Offsets of the first record of a partition's log, and of the one that comes after the last."""

    start: int
    end: int


class Journal:
    """Answers about the log; every method may raise KafkaException."""

    def __init__(self, settings: SinkSettings, consumer: Consumer, admin: AdminClient) -> None:
        self._embedded = settings.mode == "embedded"
        self._consumer = consumer
        self._admin = admin
        self._asked: dict[str, Future[TopicDescription]] | None = None

    def topic_ids(self) -> dict[str, str]:
        """Topic -> id. Raises ConfigurationError where one does not exist."""
        if self._embedded:
            return dict.fromkeys(TOPICS, EMBEDDED_ID)
        return {name: _id(name, future) for name, future in self._ask().items()}

    def recreated(self, ids: dict[str, str]) -> list[str]:
        """Topics that have another id now, as of the question asked the last time; never waits."""
        if self._embedded:
            return []
        asked = self._asked
        if asked is None:
            self._asked = self._ask()
            return []
        if not all(future.done() for future in asked.values()):
            return []
        self._asked = None
        now = {}
        for name, future in asked.items():
            try:
                now[name] = _id(name, future)
            except (KafkaException, ConfigurationError):
                continue  # being deleted, or the broker is away: asked again next time
        return [name for name, topic_id in now.items() if name in ids and ids[name] != topic_id]

    def bounds(self, partition: TopicPartition) -> Bounds:
        """Where a partition's log starts and ends now."""
        start, end = self._consumer.get_watermark_offsets(partition, timeout=SECONDS)
        return Bounds(start, end)

    def first_timestamp_ms(self, partition: TopicPartition) -> int | None:
        """Broker timestamp of the first record in a partition, None where it has none."""
        spec = OffsetSpec.for_timestamp(0)
        found = _answer(self._admin.list_offsets({partition: spec}, request_timeout=SECONDS)[partition])
        return found.timestamp if found.offset >= 0 else None

    def _ask(self) -> dict[str, Future[TopicDescription]]:
        return dict(self._admin.describe_topics(TopicCollection(list(TOPICS)), request_timeout=SECONDS))


def _answer(future: Future[Answer]) -> Answer:
    try:
        return future.result(SECONDS + 1)
    except TimeoutError:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from None  # noqa: SLF001


def _id(name: str, future: Future[TopicDescription]) -> str:
    try:
        return str(_answer(future).topic_id)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            msg = f"the topic {name} does not exist"
            raise ConfigurationError(msg, "Create the topics: leaf topics.") from error
        raise
