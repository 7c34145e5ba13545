"""Promise 1: accepted means stored."""

import asyncio
import logging
import time
from typing import Final

from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
    UnknownProducerId,
)

from producer_api.metrics import CONFIRM_SECONDS
from producer_api.outage import Outage
from producer_api.uploads.limits import Limits
from producer_api.uploads.producers import Producers, aiokafka_producer
from schemas.envelope import Envelope
from schemas.errors import BrokerUnavailableError, EventTooLargeError
from schemas.topics import Topic

log = logging.getLogger(__name__)

TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
REFUSED: Final = (
    *TOO_LARGE,
    OutOfOrderSequenceNumber,
    UnknownProducerId,
    InvalidProducerEpoch,
    ProducerFenced,
    ProducerClosed,
)
"""What says that the record is not stored, and that this producer can't store it."""
ATTEMPTS: Final = 3
"""One, one after a neighbour in its batch was refused, one after a newcomer joined that."""
LIMIT_SECONDS: Final = 1
"""A limit that was read longer ago is read again before anything is refused because of it."""


class Acceptance:
    """What `accept` has returned from is in the log of the broker.

    1. `start` connects an idempotent producer (acks=all) in the background; until it has, `accept` refuses.
    2. `accept` refuses what is larger than the topic takes before it is sent. `max.message.bytes` is read at the start,
       after the broker refused something, and again before anything is refused.
    3. It hands the record to the producer and waits until the leader and all in-sync replicas have it.
    4. A deadline ends the wait with BrokerUnavailableError, "not confirmed": the producer goes on trying and the record
       may still be stored. A client's retry under its Idempotency-Key gets the same id, so it then counts once.
    5. A batch that the broker refuses costs the producer its sequence in that partition: it is replaced, and what was
       refused is sent by the next one if it is not too large itself. Other errors that no retry helps replace the
       producer too; those waiting are answered "not confirmed".
    6. `stop` flushes what is still on its way.

    Survives: the broker away at start or later, a leader change, limits that change, kill -9 of this process (what was
    not yet acknowledged was never answered 202) and, with replication 3, the loss of a broker. With replication 1,
    kill -9 of the broker but not loss of power. Memory is bounded: a producer holds two batches per partition, the
    rest waits.
    """

    def __init__(self, bootstrap: str, deadline_seconds: float, linger_ms: int) -> None:
        self._deadline = deadline_seconds
        self._outage = Outage(log, "confirming uploads")
        self._limits = Limits(bootstrap)
        self._alone = asyncio.Lock()
        make = aiokafka_producer(bootstrap, deadline_seconds, linger_ms)
        self._producers = Producers(make, self._limits, self._outage)

    @property
    def connected(self) -> bool:
        """Whether the broker was found since the start."""
        return self._producers.started

    def start(self) -> None:
        """Begin to connect."""
        self._producers.start()

    async def stop(self) -> None:
        """Flush, within the deadline, and disconnect."""
        await self._producers.stop(self._deadline)

    async def accept(self, topic: Topic, envelope: Envelope) -> None:
        """Return once the record is stored. Raises EventTooLargeError or BrokerUnavailableError."""
        if not self.connected:
            raise self._not_confirmed("Kafka has not been reached yet")
        began = time.monotonic()
        size, until = envelope.record_bytes, asyncio.get_running_loop().time() + self._deadline
        await self._check(topic, size)
        if refusal := await self._try(topic, envelope, until):
            async with self._alone:  # so that what is refused again is not refused because of its neighbours
                await self._try_again(topic, envelope, until, refusal)
        CONFIRM_SECONDS.observe(time.monotonic() - began)
        self._outage.ended()

    async def _try_again(self, topic: Topic, envelope: Envelope, until: float, refusal: KafkaError) -> None:
        """Send by itself what the broker refused together with others. Raises as `accept` does."""
        size, again = envelope.record_bytes, refusal
        for _ in range(ATTEMPTS - 1):
            if isinstance(again, TOO_LARGE):
                await self._limits.refresh(time.monotonic())
            await self._check(topic, size)
            found = await self._try(topic, envelope, until)
            if found is None:
                return
            again = found
        if isinstance(again, TOO_LARGE):
            self._limits.learn(topic, size)
            raise EventTooLargeError(topic.name, size)
        raise self._not_confirmed(f"Kafka refused it: {type(again).__name__}") from again

    async def _check(self, topic: Topic, size: int) -> None:
        """Raise EventTooLargeError for what the topic does not take."""
        if size > self._limits.of(topic):
            await self._limits.refresh(time.monotonic() - LIMIT_SECONDS)
        if size > (limit := self._limits.of(topic)):
            raise EventTooLargeError(topic.name, size, limit)

    async def _try(self, topic: Topic, envelope: Envelope, until: float) -> KafkaError | None:
        """Send it once; the error where the broker refused it. Raises BrokerUnavailableError where it may be stored."""
        try:
            producer = await self._producers.get(until)
        except TimeoutError:
            raise self._not_confirmed("Kafka can't be reached") from None
        try:
            stored = await producer.send(topic.name, envelope.value, envelope.key.encode(), headers=envelope.headers())
            await self._acknowledged(stored, until)
        except REFUSED as error:
            self._producers.replace(producer, error)
            return error
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):  # a full producer is no broken one
                self._producers.replace(producer, error)
            raise self._not_confirmed(f"Kafka did not acknowledge: {type(error).__name__}") from error
        return None

    async def _acknowledged(self, stored: "asyncio.Future[object]", until: float) -> None:
        """Wait for it; costs a quarter of `asyncio.timeout`. Whoever stops waiting does not take the record back."""
        overdue = asyncio.get_running_loop().call_at(until, stored.cancel)
        try:
            await stored
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise self._not_confirmed(f"Kafka did not acknowledge within {self._deadline:g} s") from None
        finally:
            overdue.cancel()

    def _not_confirmed(self, reason: str) -> BrokerUnavailableError:
        self._outage.began(reason)
        remedy = "Send it again, with the same Idempotency-Key."
        return BrokerUnavailableError(f"not confirmed: {reason}; the photograph may still be stored", remedy)
