"""The producer in use, and the next one when it is broken."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from producer_api.outage import Outage
from producer_api.uploads.limits import CLIENT_BYTES, Limits
from producer_api.uploads.partitioner import partition

log = logging.getLogger(__name__)

BATCH_BYTES: Final = 512 * 1024
"""Of one partition: two of the largest photographs, and half of the broker's default message limit."""
RECONNECT_SECONDS: Final = 2
REPLACE_SECONDS: Final = 0.2
"""Between two producers, however often one breaks."""

Make = Callable[[int], AIOKafkaProducer]
"""From the size of a batch, bytes."""


class Producers:
    """One idempotent producer (acks=all) at a time, replaced when it is broken, so that no error ends the process.

    1. `start` connects in the background, for as long as that takes.
    2. `get` waits for the producer in use.
    3. `replace` retires one that lost its sequence in a partition (a batch was refused, and Kafka takes no later one of
       that producer there) or whose sender died. What it holds for other partitions still goes out, and whoever waits
       for it hears of it; the next one connects meanwhile.
    4. `stop` flushes the one in use and those retired, within a time.
    """

    def __init__(self, make: Make, limits: Limits, outage: Outage) -> None:
        self._make = make
        self._limits = limits
        self._outage = outage
        self._producer: AIOKafkaProducer | None = None
        self._ready = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None
        self._connected_at = 0.0
        self._retired: set[asyncio.Task[None]] = set()

    @property
    def started(self) -> bool:
        """Whether the broker was found since the start."""
        return self._connected_at > 0

    def start(self) -> None:
        """Begin to connect."""
        self._connecting = asyncio.create_task(self._connect())

    async def get(self, until: float) -> AIOKafkaProducer:
        """The producer in use. Raises TimeoutError at this moment of the loop's clock."""
        if self._producer is None:
            async with asyncio.timeout_at(until):
                while self._producer is None:
                    await self._ready.wait()
        return self._producer

    def replace(self, broken: AIOKafkaProducer, error: Exception) -> None:
        """Let go of this one, if it is still in use, and begin to connect another."""
        if broken is not self._producer:
            return
        log.warning("the producer is replaced: %r", error)
        self._producer = None
        self._ready.clear()
        task = asyncio.create_task(_stop(broken))
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)
        self.start()

    async def stop(self, seconds: float) -> None:
        """Flush and disconnect."""
        if self._connecting:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        open_ones = set(self._retired)
        if self._producer:
            open_ones.add(asyncio.create_task(_stop(self._producer)))
        if open_ones:
            _, late = await asyncio.wait(open_ones, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
                log.warning("stopped without the broker's last acknowledgements")

    async def _connect(self) -> None:
        await asyncio.sleep(self._connected_at + REPLACE_SECONDS - time.monotonic())
        while True:
            await self._limits.refresh(time.monotonic())
            producer = self._make(min(BATCH_BYTES, self._limits.smallest))
            try:
                await producer.start()
            except (KafkaError, OSError) as error:
                await producer.stop()
                self._outage.began(f"Kafka can't be reached: {error}")
                await asyncio.sleep(RECONNECT_SECONDS)
            except asyncio.CancelledError:
                await producer.stop()
                raise
            except Exception:  # whatever it is, uploads must not stay refused because of it
                log.exception("the producer could not be started, and is tried again")
                await producer.stop()
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                break
        self._producer, self._connected_at = producer, time.monotonic()
        self._ready.set()
        log.info("publishing to Kafka")


def aiokafka_producer(bootstrap: str, seconds: float, linger_ms: int) -> Make:
    """How the API's producers are made."""
    return lambda batch_bytes: AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id="leaf-api",
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_batch_size=batch_bytes,
        max_request_size=CLIENT_BYTES,
        partitioner=partition,
        request_timeout_ms=int(seconds * 1000),
    )


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        await producer.stop()
    except (KafkaError, OSError) as error:
        log.warning("a producer stopped without the broker's last acknowledgements: %r", error)
