"""The dead-letter topics as a whole: what lies there, what was put back already, and putting it back."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.errors import BrokerUnavailableError
from schemas.topics import IMAGES, PARTITIONER
from stream_workers.dead_letters import TOPICS, DeadLetter
from stream_workers.photograph import Position

log = logging.getLogger(__name__)

_SECONDS: Final = 30.0
_TOGETHER: Final = 100
"""Letters put back before their notes are written: what a kill in between puts back twice."""
_MAX_RECORD_BYTES: Final = 2 * 1024 * 1024
"""The client's own limit, out of the way of the broker's: the library's would be below it."""


class Retries:
    """Puts dead letters back into the images topic.

    1. Both topics are read to their end: the letters, and the notes of those that were put back.
    2. A hundred letters' original keys, headers and bytes are appended to their source partitions, attempts counted up.
    3. When the broker has acknowledged them, a note is appended beside each letter: it is not put back again.

    A kill between 2 and 3 puts letters back twice; the sink counts an image id once. One that fails again becomes a
    new letter. One that the images topic does not take, because with its attempt it is too large now, stops no other.
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
                if retried := letter.retried:
                    self._done.add((kind, retried))
                elif letter.is_ours:
                    self.letters.append(letter)
                else:
                    log.warning("%s was not written by a worker and is left where it is", letter.id)
        self.letters.sort(key=lambda letter: letter.at)

    def is_done(self, letter: DeadLetter) -> bool:
        """Whether it was put back already."""
        return (letter.kind, letter.position) in self._done

    def put_back(self, letters: Sequence[DeadLetter], on_progress: Callable[[int], None]) -> int:
        """Put back those that were not yet; returns how many. Raises BrokerUnavailableError."""
        settings = {"enable.idempotence": True, "acks": "all", "partitioner": PARTITIONER}
        producer = Producer(self._client | settings | {"message.max.bytes": _MAX_RECORD_BYTES})
        refused: dict[str, Any] = {}
        due = [letter for letter in letters if not self.is_done(letter)]
        on_progress(len(letters) - len(due))
        for start in range(0, len(due), _TOGETHER):
            chunk = due[start : start + _TOGETHER]
            errors = _store(producer, [_original(letter) for letter in chunk])
            back = [letter for letter, error in zip(chunk, errors, strict=True) if error is None]
            refused |= {letter.id: error for letter, error in zip(chunk, errors, strict=True) if error}
            if error := next(filter(None, _store(producer, [_note(letter) for letter in back])), None):
                msg = f"{TOPICS[back[0].kind].name} did not confirm what was put back: {error}"
                raise BrokerUnavailableError(msg, "Retry again; what was noted as put back is skipped.")
            self._done.update((letter.kind, letter.position) for letter in back)
            on_progress(len(chunk))
            if not back:
                break
        if refused:
            msg = f"{IMAGES.name} did not confirm {', '.join(refused)}: {next(iter(refused.values()))}"
            raise BrokerUnavailableError(msg, "Retry again; what was noted as put back is skipped.")
        return len(due)


def _original(letter: DeadLetter) -> dict[str, Any]:
    return {
        "topic": IMAGES.name,
        "partition": letter.source.partition,
        "key": letter.key,
        "value": letter.value,
        "headers": letter.original_headers(),
    }


def _note(letter: DeadLetter) -> dict[str, Any]:
    return {
        "topic": TOPICS[letter.kind].name,
        "partition": letter.position.partition,
        "key": letter.key,
        "value": b"",
        "headers": letter.note_headers(),
    }


def _store(producer: Producer, records: list[dict[str, Any]]) -> list[Any]:
    """Produce and wait for all of them; what is wrong with each, None where nothing is.

    Kafka refuses a batch as a whole for its size: each record of it is tried by itself.
    """
    errors = _produce(producer, records)
    for number, error in enumerate(errors):
        if isinstance(error, KafkaError) and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            errors[number] = _produce(producer, records[number : number + 1])[0]
    return errors


def _produce(producer: Producer, records: list[dict[str, Any]]) -> list[Any]:
    errors: list[Any] = ["no answer"] * len(records)

    def told(number: int) -> Callable[[Any, Any], None]:
        return lambda error, _message: errors.__setitem__(number, error)

    for number, record in enumerate(records):
        try:
            producer.produce(**record, on_delivery=told(number))
        except KafkaException as error:  # too large, or a partition that there is not any more
            errors[number] = error.args[0]
    producer.flush(_SECONDS)
    return errors


def _records(client: dict[str, Any], topic: str) -> Iterator[Any]:
    """What a topic holds now."""
    settings = {
        "group.id": "leaf-dead-letters",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 10,
    }
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
