"""Promise 2: a photograph is acknowledged only when what was said of it is stored."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faust.exceptions import ProducerSendError

from schemas.errors import LeafError
from schemas.topics import PREDICTIONS
from stream_workers import metrics
from stream_workers.dead_letters import TOPICS, dead_letter_headers
from stream_workers.photograph import Photograph
from stream_workers.records import Headers, Record, store_alone

log = logging.getLogger(__name__)

Send = Callable[[str, bytes | None, bytes, int, Headers], Awaitable[Awaitable[object]]]
"""Topic, key, value, partition, headers -> once it is buffered, a future of the broker's acknowledgement."""

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Event(Protocol):
    """A Faust event of a stream without automatic acknowledgement."""

    def ack(self) -> bool:
        """Let its offset be committed."""
        ...


class OrderError(LeafError):
    """Something tried to acknowledge past an unfinished photograph. It would be lost at the next crash."""


class Acknowledgement:
    """At least once, in order.

    1. `accept` notes each event in the order in which the stream gave it.
    2. `publish` sends a batch's predictions, each to its photograph's partition number, and the dead letters of those
       that failed; they are computed by then, so what is sent again after a crash says the same.
    3. It waits for every acknowledgement (acks=all); what was not acknowledged is sent again, for as long as it takes,
       and what its topic refuses as too large in a smaller form.
    4. Only then it acknowledges the events, strictly in the order of step 1; Faust commits them within a second.

    Survives: kill -9 of the worker between any two steps (delivered again from the last commit; the sink knows
    duplicates by source position), the broker's death and return, a rebalance (Faust waits for what is in work, or the
    partition's next owner repeats it). Why the order: Faust's commit steps past an unacknowledged event when a later
    one is acknowledged.
    """

    def __init__(self, send: Send, topic_id: str) -> None:
        self._send = send
        self._topic_id = topic_id
        self._waiting: deque[tuple[Photograph, Event]] = deque()

    @property
    def unfinished(self) -> int:
        """How many photographs were read and are not acknowledged."""
        return len(self._waiting)

    def accept(self, photograph: Photograph, event: Event) -> None:
        """Note an event that was read."""
        self._waiting.append((photograph, event))
        metrics.UNACKNOWLEDGED.inc()

    async def publish(self, batch: Sequence[Photograph]) -> None:
        """Store what is said of the oldest unacknowledged photographs, then acknowledge them. Raises OrderError."""
        unsent = [record for photograph in batch for record in self._records(photograph)]
        pause = _FIRST_PAUSE_S
        while unsent := await self._store(unsent):
            log.warning("%d records are not acknowledged by the broker, sending them again", len(unsent))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        for photograph in batch:
            self._acknowledge(photograph)

    def _records(self, photograph: Photograph) -> Iterator[Record]:
        partition = photograph.position.partition
        envelope = photograph.prediction(self._topic_id).envelope(key="", traceparent=photograph.traceparent)
        yield Record(PREDICTIONS.name, photograph.prediction_key, envelope.value, partition, envelope.headers())
        if failure := photograph.failure:
            headers = dead_letter_headers(photograph, self._topic_id)
            value = photograph.value or b""  # aiokafka refuses a record with neither key nor value
            yield Record(TOPICS[failure.kind].name, photograph.key, value, partition, headers)

    async def _store(self, records: list[Record]) -> list[Record]:
        """Send and wait; returns what has to be sent again."""
        sent = [await self._buffer(record) for record in records]
        again = []
        for record, outcome in zip(records, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            if isinstance(outcome, MessageSizeTooLargeError):
                again += await self._store_smaller(record)
            elif isinstance(outcome, KafkaError | ProducerSendError):
                again.append(record)
            elif isinstance(outcome, BaseException):
                raise outcome
        return again

    async def _store_smaller(self, record: Record) -> list[Record]:
        """Store what the broker refused as too large, alone or with its neighbours; what has to be sent again."""
        try:
            stored = await store_alone(self._buffer, record)
        except (KafkaError, ProducerSendError):
            return [record]
        if stored is None:
            log.critical("%s takes no form of a record at all, it is dropped: run `leaf doctor`", record.topic)
        elif stored != record:
            text = "a record of %d bytes is larger than %s takes, stored are %d: run `leaf doctor`"
            log.error(text, len(record.value), record.topic, len(stored.value))
        return []

    async def _buffer(self, record: Record) -> Awaitable[object]:
        """The future of its acknowledgement, failed already where it could not even be buffered."""
        try:
            return await self._send(*record)
        except (KafkaError, ProducerSendError) as error:
            failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    def _acknowledge(self, photograph: Photograph) -> None:
        oldest, event = self._waiting.popleft()
        if oldest is not photograph:
            msg = f"{photograph.position} is not the oldest unacknowledged photograph, {oldest.position} is"
            raise OrderError(msg)
        event.ack()
        metrics.UNACKNOWLEDGED.dec()
        metrics.LATENCY.observe(max(0, time.time() - photograph.timestamp_ms / 1000))
        metrics.IMAGES.labels(photograph.failure.kind if photograph.failure else "done").inc()
        if photograph.assignment and not photograph.failure:
            answer = photograph.answers[photograph.assignment.answering.arm]
            metrics.ANSWERS.labels(answer.model, answer.version).inc()
