"""A small compacted topic, read from its start and followed: what it holds is known before anybody asks."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, TopicDescription

from schemas.errors import BrokerUnavailableError

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 0.1
CHECK_SECONDS: Final = 2
"""How often the id of the topic is looked at, and how long an answer may take."""
REMEDY: Final = "Try again in a moment; `leaf doctor` says what is wrong."
TOPIC_GONE: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  its public name
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}


class Follower:
    """Hands every record of a topic's first partition to `take`, in order, in a thread of its own.

    1. `start` begins at the topic's start; later records are taken a few milliseconds after they were appended.
    2. `known` returns at once if the topic was read to its end before; just after the start it waits for that.
    3. `reach_end` asks the broker where the topic ends now and waits until all records before that are taken.

    Survives: the broker away (what was read stands), records that `take` can't use (logged and skipped), the topic
    not yet made, or made anew (`restart` is called and it is read from its start; noticed by its id where it holds as
    much as the one before).
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        topic: str,
        seconds: float,
        take: Callable[[Message], None],
        restart: Callable[[], None],
    ) -> None:
        self._admin = dict(client)
        self._client = {
            **client,
            "group.id": client["client.id"],
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
        self._partition = TopicPartition(topic, 0, OFFSET_BEGINNING)
        self._seconds = seconds
        self._take = take
        self._restart = restart
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._position = 0
        self._complete = False
        self._assign = True
        self._reassigned = False
        self._patient_until = 0.0

    def start(self) -> None:
        """Begin, unless it has begun."""
        with self._changed:
            if self._thread is None:
                self._patient_until = time.monotonic() + self._seconds
                self._thread = threading.Thread(target=self._run, name=f"follow {self._partition.topic}", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End."""
        self._stopped = True
        if self._thread:
            self._thread.join()

    def known(self) -> None:
        """Return once the topic was read to its end, at some time since the start.

        Raises BrokerUnavailableError: at once, when the first reading has had its time.
        """
        self.start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._complete, max(0.0, self._patient_until - time.monotonic())):
                msg = f"{self._partition.topic} can't be read: Kafka has not given it yet"
                raise BrokerUnavailableError(msg, REMEDY)

    def reach_end(self) -> None:
        """Return once everything that stands in the topic now is taken. Raises BrokerUnavailableError."""
        self.start()
        deadline = time.monotonic() + self._seconds
        end = self._end(deadline)
        with self._changed:
            self._assign |= end < self._position
            if not self._changed.wait_for(lambda: self._has_taken(end), max(0.0, deadline - time.monotonic())):
                msg = f"{self._partition.topic} can't be read: only {self._position} of {end} records came in time"
                raise BrokerUnavailableError(msg, REMEDY)

    def _has_taken(self, end: int) -> bool:
        return not self._assign and not self._reassigned and self._position >= end

    def _end(self, deadline: float) -> int:
        """Asked over a connection of its own: on the reading one the answer waits behind the fetch in progress."""
        consumer = Consumer(self._client)
        try:
            while True:
                try:
                    left = max(RETRY_SECONDS, deadline - time.monotonic())
                    end: int = consumer.get_watermark_offsets(self._partition, timeout=left)[1]
                except KafkaException as error:
                    if time.monotonic() < deadline:  # a topic just made has no leader yet
                        time.sleep(RETRY_SECONDS)
                        continue
                    msg = f"{self._partition.topic} can't be read: {error.args[0].str()}"
                    raise BrokerUnavailableError(msg, REMEDY) from error
                return end
        finally:
            consumer.close()

    def _run(self) -> None:
        consumer, topic_id = Consumer(self._client), TopicId(self._admin, self._partition.topic)
        try:
            while not self._stopped:
                self._assign |= topic_id.changed()
                if self._assign:
                    consumer.assign([self._partition])
                    with self._changed:
                        self._assign, self._reassigned = False, True
                if (message := consumer.poll(POLL_SECONDS)) is not None:
                    with self._changed:
                        self._receive(message)
                        self._changed.notify_all()
        finally:
            consumer.close()

    def _receive(self, message: Message) -> None:
        error, offset = message.error(), message.offset() or 0
        ended = error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001  its public name
        if error is not None and not ended:
            if error.code() in TOPIC_GONE:
                self._assign = True
                time.sleep(RETRY_SECONDS)
            return
        if self._reassigned or offset < self._position:
            self._restart()
            self._position, self._complete, self._reassigned = 0, False, False
            self._patient_until = time.monotonic() + self._seconds
        if ended:
            self._position, self._complete = max(self._position, offset), True
            return
        self._position = offset + 1
        try:
            self._take(message)
        except Exception:
            log.exception("record %d of %s is skipped", offset, self._partition.topic)


class TopicId:
    """Notices that a topic has another id than before. Waits for no answer: the embedded broker gives none."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._admin = AdminClient(dict(client))
        self._topic = topic
        self._asked: Future[TopicDescription] | None = None
        self._next = 0.0
        self._known: str | None = None

    def changed(self) -> bool:
        """Whether it has changed; to be called often."""
        if self._asked is None and time.monotonic() >= self._next:
            topics = TopicCollection([self._topic])
            self._asked = self._admin.describe_topics(topics, request_timeout=CHECK_SECONDS)[self._topic]
        if self._asked is None or not self._asked.done():
            return False
        asked, self._asked, self._next = self._asked, None, time.monotonic() + CHECK_SECONDS
        try:
            before, self._known = self._known, str(asked.result().topic_id)
        except KafkaException:
            return False
        return before not in {None, self._known}
