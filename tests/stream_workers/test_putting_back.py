"""Dead letters put back through a log in memory: what happens when, and what happens when it does not."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError
from workers import photograph

from schemas.errors import BrokerUnavailableError
from schemas.topics import FAILED, IMAGES, UNPROCESSABLE
from stream_workers import retries as module
from stream_workers.dead_letters import RETRIED, TOPICS, dead_letter_headers
from stream_workers.photograph import Position
from stream_workers.retries import Retries


@dataclass
class Message:
    """As confluent-kafka's."""

    _topic: str
    _partition: int
    _offset: int
    _key: bytes | None = None
    _value: bytes | None = None
    _headers: list[tuple[str, bytes]] = field(default_factory=list)
    _ms: int = 0
    _error: KafkaError | None = None

    def __getattr__(self, name: str):
        return lambda: self.__dict__[f"_{name}"]

    def timestamp(self):
        return 1, self._ms


class Log:
    """What was appended, in order; topics in `silent` do not answer, `instead` is read before what a topic holds."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.silent: set[str] = set()
        self.settings: dict[str, Any] = {}
        self.open = 0
        self.instead: list[Message | None] = []

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers, ms: int = 0) -> None:
        offset = sum((m.topic(), m.partition()) == (topic, partition) for m in self.messages)
        self.messages.append(Message(topic, partition, offset, key, value, list(headers), ms))

    def bury(self, number: int, kind: str = "failed", partition: int = 2, ms: int = 0) -> None:
        item = photograph(number)
        item.fail("failed", "no memory")
        self.append(TOPICS[kind].name, partition, item.key, item.value, dead_letter_headers(item, "topic-id"), ms)

    def topic(self, name: str) -> list[Message]:
        return [message for message in self.messages if message.topic() == name]


class Producer:
    def __init__(self, log: Log, settings: dict[str, Any]) -> None:
        self.log, self.waiting = log, []
        log.settings = settings

    def produce(self, topic, value, key, partition, headers, on_delivery) -> None:
        self.waiting.append((topic, partition, key, value, headers, on_delivery))

    def flush(self, seconds: float) -> None:
        assert seconds > 0
        for *record, on_delivery in self.waiting:
            if record[0] not in self.log.silent:
                self.log.append(*record)
                on_delivery(None, None)
        self.waiting.clear()


class Consumer:
    def __init__(self, log: Log, _settings: dict[str, Any]) -> None:
        self.log = log
        log.open += 1

    def list_topics(self, topic, timeout):
        assert timeout > 0
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions={0: None, 1: None, 2: None})})

    def assign(self, places) -> None:
        assert all(place.offset == OFFSET_BEGINNING for place in places)
        (topic,) = {place.topic for place in places}
        self.found = list(self.log.instead)
        for place in places:
            self.found += [m for m in self.log.topic(topic) if m.partition() == place.partition]
            ended = Message(topic, place.partition, 0, _error=KafkaError(KafkaError._PARTITION_EOF))
            self.found.append(ended)

    def poll(self, seconds):
        assert seconds > 0
        return self.found.pop(0)

    def close(self) -> None:
        self.log.open -= 1


@pytest.fixture
def log(monkeypatch) -> Log:
    log = Log()
    monkeypatch.setattr(module, "Producer", lambda settings: Producer(log, settings))
    monkeypatch.setattr(module, "Consumer", lambda settings: Consumer(log, settings))
    return log


def read() -> Retries:
    retries = Retries("nowhere")
    retries.read()
    return retries


def test_the_oldest_come_first_and_a_second_look_finds_no_more(log) -> None:
    for number, ms in enumerate([3000, 1000, 2000]):
        log.bury(number, partition=number, ms=ms)
    retries = read()
    assert [letter.at.timestamp() for letter in retries.letters] == [1, 2, 3]
    retries.read()
    assert len(retries.letters) == 3


def test_what_no_worker_wrote_hides_no_letter(log, caplog) -> None:
    log.append(FAILED.name, 0, b"key", b"not ours", [])
    log.bury(1)
    assert [letter.position for letter in read().letters] == [Position(2, 0)]
    assert "failed:0:0 was not written by a worker" in caplog.text


def test_a_letter_is_noted_beside_itself_and_only_it_is_done(log) -> None:
    """In both topics stands a letter at the same place."""
    log.bury(1, "unprocessable")
    log.bury(1, "failed")
    retries = read()
    letter = next(letter for letter in retries.letters if letter.kind == "unprocessable")
    assert retries.put_back([letter], lambda _: None) == 1
    _, note = log.topic(UNPROCESSABLE.name)
    assert (note.partition(), note.key(), note.value()) == (2, letter.key, b"")
    assert dict(note.headers())[RETRIED] == b"2:0"
    assert "ce_id" not in dict(note.headers())
    assert dict(note.headers())["dead_letter_offset"] == b"1"
    assert len(log.topic(FAILED.name)) == 1
    for looking in (retries, read()):
        assert looking.is_done(letter)
        assert not looking.is_done(replace(letter, kind="failed"))
        assert not looking.is_done(replace(letter, position=Position(2, 1)))


def test_a_letter_goes_back_where_it_came_from(log) -> None:
    log.bury(1, partition=2)
    (letter,) = (retries := read()).letters
    retries.put_back([letter], lambda _: None)
    (back,) = log.topic(IMAGES.name)
    assert (back.partition(), back.key(), back.value()) == (1, letter.key, photograph(1).value)
    assert back.headers() == letter.original_headers()


def test_what_was_put_back_is_not_put_back_again_and_counts_as_progress(log) -> None:
    for number in range(3):
        log.bury(number)
    retries, told = read(), []
    assert retries.put_back(retries.letters[:2], told.append) == 2
    assert sum(told) == 2
    assert retries.put_back(retries.letters, told.append) == 1
    assert sum(told) == 2 + 3
    assert len(log.topic(IMAGES.name)) == 3


def test_notes_follow_what_they_note_chunk_by_chunk(log, monkeypatch) -> None:
    """A kill may put letters back twice, a hundred at most, and none may count as put back that was not."""
    monkeypatch.setattr(module, "_TOGETHER", 2)
    for number in range(5):
        log.bury(number)
    retries = read()
    assert retries.put_back(retries.letters, lambda _: None) == 5
    images, notes = [IMAGES.name], [FAILED.name]
    assert [message.topic() for message in log.messages[5:]] == 2 * (2 * images + 2 * notes) + images + notes


def test_no_more_than_a_hundred_letters_are_put_back_twice() -> None:
    assert module._TOGETHER <= 100


def test_every_replica_confirms_and_a_resend_adds_nothing(log) -> None:
    log.bury(1)
    (retries := read()).put_back(retries.letters, lambda _: None)
    assert (log.settings["acks"], log.settings["enable.idempotence"]) == ("all", True)


@pytest.mark.parametrize("topic", [IMAGES.name, FAILED.name])
def test_what_the_broker_did_not_confirm_is_not_done(log, topic) -> None:
    log.bury(1)
    log.silent.add(topic)
    retries = read()
    with pytest.raises(BrokerUnavailableError, match="did not confirm"):
        retries.put_back(retries.letters, lambda _: None)
    assert not retries.is_done(retries.letters[0])
    assert len(log.topic(FAILED.name)) == 1


@pytest.mark.parametrize(
    ("instead", "message"),
    [
        (None, "no answer"),
        (Message("", 0, 0, _error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), "can't be read"),
    ],
)
def test_a_topic_that_was_not_read_to_its_end_is_an_error(log, instead, message) -> None:
    """Letters would be missing, or notes, and what is noted would be put back again."""
    log.bury(1)
    log.instead = [instead]
    with pytest.raises(BrokerUnavailableError, match=message):
        read()
    assert log.open == 0


def test_reading_leaves_no_connection_behind(log) -> None:
    read()
    assert log.open == 0


def test_records_without_anything_in_them_are_read(log) -> None:
    """As `kcat` may write them: neither key, value nor a header's value; and with a clock that tells nothing."""
    item = photograph(1)
    item.fail("failed", "no memory")
    headers = [*dead_letter_headers(item, "topic-id"), ("empty", None)]
    log.append(FAILED.name, 0, None, None, headers, ms=-1)
    (letter,) = read().letters
    assert (letter.key, letter.value, letter.at.timestamp()) == (None, b"", 0)
    assert letter.header("empty") == ""
