"""The dead-letter topics as a whole: what lies there, what was put back already, and putting it back."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.errors import BrokerUnavailableError
from schemas.topics import IMAGES, PARTITIONER
from stream_workers.dead_letters import RETRIED, TOPICS, DeadLetter, Headers
from stream_workers.photograph import Position

_SECONDS: Final = 30.0


class Retries:
    """Puts dead letters back into the images topic.

    1. Both topics are read to their end: the letters, and the notes of those that were put back.
    2. A letter's original key, headers and bytes are appended to its source partition, its attempt counted up.
    3. When the broker has acknowledged that, a note is appended beside the letter: it is not put back again.

    A kill between 2 and 3 puts a letter back twice; the sink counts an image id once. One that fails again becomes a
    new letter.
    """

    def __init__(self, bootstrap: str) -> None:
        self._client = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.letters: list[DeadLetter] = []
        self._done: set[tuple[str, Position]] = set()

    def read(self) -> None:
        """Read both topics. Raises BrokerUnavailableError."""
        self.letters.clear()
        for kind, topic in TOPICS.items():
            for message in _records(self._client, topic.name):
                letter = DeadLetter.of(kind, message)
                if note := letter.header(RETRIED):
                    partition, offset = note.split(":")
                    self._done.add((kind, Position(int(partition), int(offset))))
                else:
                    self.letters.append(letter)
        self.letters.sort(key=lambda letter: letter.at)

    def is_done(self, letter: DeadLetter) -> bool:
        """Whether it was put back already."""
        return (letter.kind, letter.position) in self._done

    def put_back(self, letters: Iterable[DeadLetter], on_each: Callable[[], None]) -> int:
        """Put back those that were not yet, one by one; returns how many. Raises BrokerUnavailableError."""
        settings = {"enable.idempotence": True, "acks": "all", "partitioner": PARTITIONER, "linger.ms": 0}
        producer = Producer(self._client | settings)
        count = 0
        for letter in letters:
            if not self.is_done(letter):
                _store(producer, IMAGES.name, letter.source.partition, letter, letter.value, letter.original_headers())
                _store(
                    producer, TOPICS[letter.kind].name, letter.position.partition, letter, b"", letter.note_headers()
                )
                self._done.add((letter.kind, letter.position))
                count += 1
            on_each()
        return count


def _store(producer: Producer, topic: str, partition: int, letter: DeadLetter, value: bytes, headers: Headers) -> None:
    errors: list[Any] = []
    producer.produce(
        topic,
        key=letter.key,
        value=value,
        partition=partition,
        headers=headers,
        on_delivery=lambda error, _message: errors.append(error),
    )
    producer.flush(_SECONDS)
    if errors != [None]:
        msg = f"{letter.id} was not confirmed in {topic}: {errors[0] if errors else 'no answer'}"
        raise BrokerUnavailableError(msg, "Retry again; what was put back is skipped.")


def _records(client: dict[str, Any], topic: str) -> Iterator[Any]:
    """What a topic holds now."""
    settings = {"group.id": "leaf-dead-letters", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(client | settings)
    try:
        partitions = set(consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        while partitions:
            message = consumer.poll(_SECONDS)
            if message is None:
                msg = f"{topic} can't be read: no answer in {_SECONDS:g} s"
                raise BrokerUnavailableError(msg, "Is Kafka running?")
            if message.error() is None:
                yield message
            elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
                partitions.discard(message.partition())
            else:
                raise KafkaException(message.error())
    except KafkaException as error:
        msg = f"{topic} can't be read: {error.args[0].str()}"
        raise BrokerUnavailableError(
            msg, "Start Kafka, or correct KAFKA=host:port; `leaf topics` makes topics."
        ) from error
    finally:
        consumer.close()
