"""Promise 1: accepted means stored."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from producer_api.metrics import CONFIRM_SECONDS
from producer_api.outage import Outage
from producer_api.uploads.partitioner import partition
from schemas.envelope import Envelope
from schemas.errors import BrokerUnavailableError
from schemas.topics import Topic

log = logging.getLogger(__name__)

BATCH_BYTES = 512 * 1024
"""Of one partition: two of the largest photographs, and half of the broker's default message limit."""
RECONNECT_SECONDS = 2


def end_process() -> None:
    """Stop as on SIGTERM: requests in work are answered, then whoever started the process starts another."""
    os.kill(os.getpid(), signal.SIGTERM)


class Acceptance:
    """What `accept` has returned from is in the log of the broker.

    1. `start` connects an idempotent producer (acks=all) in the background; until it has, `accept` refuses.
    2. `accept` hands the record to the producer and waits until the leader and all in-sync replicas have it.
    3. A deadline ends the wait with BrokerUnavailableError, "not confirmed": the producer goes on trying and the record
       may still be stored. A client's retry under its Idempotency-Key gets the same id, so it then counts once.
    4. An error that no retry can mend (a fenced or out-of-sequence producer, a sender that died) can mean that the
       producer has given up on records it holds: those waiting are told "not confirmed" and the process ends.
    5. `stop` flushes what is still on its way.

    Survives: the broker away at start or later, a leader change, kill -9 of this process (what was not yet
    acknowledged was never answered 202) and, with replication 3, the loss of a broker. With replication 1, kill -9 of
    the broker but not loss of power. Memory is bounded: the producer holds two batches per partition, the rest waits.
    """

    def __init__(
        self, bootstrap: str, deadline_seconds: float, linger_ms: int, on_fatal: Callable[[], None] = end_process
    ) -> None:
        self._bootstrap = bootstrap
        self._deadline = deadline_seconds
        self._linger_ms = linger_ms
        self._on_fatal = on_fatal
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._outage = Outage(log, "confirming uploads")

    @property
    def connected(self) -> bool:
        """Whether the producer has found the broker since the start."""
        return self._producer is not None

    def start(self) -> None:
        """Begin to connect."""
        self._connecting = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        """Flush, within the deadline, and disconnect."""
        if self._connecting:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._producer:
            try:
                await asyncio.wait_for(self._producer.stop(), self._deadline)
            except (TimeoutError, KafkaError) as error:
                log.warning("stopped without the broker's last acknowledgements: %r", error)

    async def accept(self, topic: Topic, envelope: Envelope) -> None:
        """Return once the record is stored. Raises BrokerUnavailableError."""
        if self._producer is None:
            raise self._not_confirmed("Kafka has not been reached yet")
        began = time.monotonic()
        try:
            stored = await self._producer.send(
                topic.name, envelope.value, envelope.key.encode(), headers=envelope.headers()
            )
            await self._acknowledged(stored)
        except MessageSizeTooLargeError:
            raise
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):  # a full producer is no broken one
                log.critical("the producer can't go on, the process ends: %r", error)
                self._on_fatal()
            raise self._not_confirmed(f"Kafka did not acknowledge: {type(error).__name__}") from error
        CONFIRM_SECONDS.observe(time.monotonic() - began)
        self._outage.ended()

    async def _acknowledged(self, stored: "asyncio.Future[object]") -> None:
        """Wait for it; costs a quarter of `asyncio.timeout`. Whoever stops waiting does not take the record back."""
        overdue = asyncio.get_running_loop().call_later(self._deadline, stored.cancel)
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

    async def _connect(self) -> None:
        while self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                client_id="leaf-api",
                acks="all",
                enable_idempotence=True,
                linger_ms=self._linger_ms,
                max_batch_size=BATCH_BYTES,
                max_request_size=8 * BATCH_BYTES,
                partitioner=partition,
                request_timeout_ms=int(self._deadline * 1000),
            )
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                await producer.stop()
                self._outage.began(f"Kafka at {self._bootstrap} can't be reached yet: {error}")
                await asyncio.sleep(RECONNECT_SECONDS)
            except asyncio.CancelledError:
                await producer.stop()
                raise
            else:
                self._producer = producer
                log.info("publishing to Kafka at %s", self._bootstrap)
