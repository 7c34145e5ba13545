"""Backpressure: how far the workers are behind, sampled in the background."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CoordinatorNotAvailableError, KafkaError

from producer_api.background import Background
from producer_api.errors import BacklogError
from producer_api.metrics import BACKLOG_SECONDS, LAG
from producer_api.outage import Outage
from producer_api.uploads.partitioner import partition
from schemas.topics import IMAGES, WORKER_GROUP

log = logging.getLogger(__name__)

Offsets = dict[int, int]
OPEN_KEY_ATTEMPTS: Final = 100
"""With one of twelve partitions open, one key in 6,000 is still behind: it then waits a little longer."""
REMEMBERED: Final = 4
"""History is kept for this many times the age at which uploads are refused."""


class Backlog(NamedTuple):
    """The workers' group at one moment."""

    lag: int
    """Photographs stored and not yet processed."""
    ages: Mapping[int, float]
    """Partition to how long, at least, the oldest of them has been waiting there; short by one sampling interval."""
    moving: bool = False
    """Whether anything was processed lately."""

    @property
    def age_seconds(self) -> float:
        """Of the oldest of all."""
        return max(self.ages.values(), default=0)


class History:
    """Tells the age of a backlog from where the log ended earlier, so that no record and no broker clock is read.

    The record at the group's position was there already when a sample first saw the log end behind it.
    """

    def __init__(self, span_seconds: float, lately_seconds: float) -> None:
        self._span = span_seconds
        self._lately = lately_seconds
        self._ends: deque[tuple[float, Offsets]] = deque()
        self._positions: deque[tuple[float, Offsets]] = deque()

    def add(self, now: float, ends: Offsets) -> None:
        """Remember where each partition ended."""
        _remember(self._ends, now, ends, self._span)

    def backlog(self, now: float, ends: Offsets, positions: Offsets) -> Backlog:
        """The group's backlog, given its position in each partition."""
        lag = sum(max(0, end - positions[partition]) for partition, end in ends.items())
        ages = {partition: self._age(now, partition, position) for partition, position in positions.items()}
        _remember(self._positions, now, positions, self._lately)
        before = self._positions[0][1]
        moving = any(position > before.get(partition, position) for partition, position in positions.items())
        return Backlog(lag, ages, moving)

    def _age(self, now: float, partition: int, position: int) -> float:
        return next((now - when for when, earlier in self._ends if earlier.get(partition, 0) > position), 0)


def _remember(samples: deque[tuple[float, Offsets]], now: float, offsets: Offsets, seconds: float) -> None:
    samples.append((now, offsets))
    while now - samples[0][0] > seconds:
        samples.popleft()


class Backpressure(Background):
    """Refuses uploads while those already accepted wait too long.

    1. Every few seconds the group's committed offsets and the log's ends are read; no request waits for that.
    2. At the first sample the log's ends of a while ago are asked for by time, so that a restart doesn't open the gate.
    3. A partition is behind when its oldest photograph is above the configured age. `check` raises BacklogError for a
       key whose partition is behind, and for any key while all of them are, or while the workers process nothing at
       all. So whoever fills one partition closes only that one.
    4. `open_key` chooses, of keys made at random, one whose partition is not behind.

    Survives: the broker away (the last sample stands; uploads fail on their own) or still loading the group's offsets,
    a group that never ran (it starts at the log's start), topics not yet made.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        every_seconds: float,
        max_age_seconds: float,
        broker_times: bool,
        group: str = WORKER_GROUP,
    ) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._every = every_seconds
        self._max_age = max_age_seconds
        self._broker_times = broker_times
        self._history = History(REMEMBERED * max_age_seconds, max_age_seconds)
        self._outage = Outage(log, "reading the workers' lag")
        self.backlog = Backlog(0, {})

    def check(self, key: str | None = None) -> None:
        """Raise BacklogError if no more should be accepted: of this key, or of any."""
        behind, backlog = self._behind, self.backlog
        closed = not backlog.moving or len(behind) == len(backlog.ages)
        if behind and (closed or (key and self._partition(key) in behind)):
            msg = f"{self.backlog.lag} photographs are waiting, the oldest for {self.backlog.age_seconds:.0f} s"
            raise BacklogError(msg, "Nothing was stored. Send it again after the time in Retry-After.")

    def open_key(self, make: Callable[[], str]) -> str:
        """A new key whose partition is not behind, as `check` has found that there are."""
        behind, key = self._behind, make()
        for _ in range(OPEN_KEY_ATTEMPTS):
            if not behind or self._partition(key) not in behind:
                break
            key = make()
        return key

    @property
    def _behind(self) -> frozenset[int]:
        return frozenset(partition for partition, age in self.backlog.ages.items() if age > self._max_age)

    def _partition(self, key: str) -> int:
        return partition(key.encode(), sorted(self.backlog.ages), ())

    async def _run(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, client_id="leaf-api-backlog")
            admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, client_id="leaf-api-backlog")
            try:
                await consumer.start()
                await admin.start()
                await self._seed(consumer)
                while True:
                    await self._sample(consumer, admin)
                    self._outage.ended()
                    await asyncio.sleep(self._every)
            except (KafkaError, OSError, TimeoutError) as error:
                self._outage.began(repr(error))
            finally:
                with contextlib.suppress(KafkaError, OSError):
                    await consumer.stop()
                    await admin.close()
            await asyncio.sleep(self._every)

    async def _seed(self, consumer: AIOKafkaConsumer) -> None:
        if not self._broker_times:
            return
        partitions = await _partitions(consumer)
        then = max(0, time.time() - self._max_age - 1)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, int(then * 1000)))
        ends = await consumer.end_offsets(partitions)
        offsets = {tp.partition: at.offset if (at := found.get(tp)) else ends[tp] for tp in partitions}
        self._history.add(time.monotonic() - self._max_age - 1, offsets)

    async def _sample(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        partitions = await _partitions(consumer)
        committed = await admin.list_consumer_group_offsets(self._group, partitions=partitions)
        if len(committed) < len(partitions):  # aiokafka overlooks the error of an answer as a whole
            raise CoordinatorNotAvailableError
        starts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        positions = {tp.partition: max(committed[tp].offset, starts[tp]) for tp in partitions}
        now, by_number = time.monotonic(), {tp.partition: end for tp, end in ends.items()}
        self._history.add(now, by_number)
        before, self.backlog = self._behind, self._history.backlog(now, by_number, positions)
        LAG.set(self.backlog.lag)
        BACKLOG_SECONDS.set(self.backlog.age_seconds)
        if before != self._behind:
            text = "partitions that take no uploads: %s of %d; %d photographs wait, the oldest for %.0f s"
            behind, backlog = sorted(self._behind) or "none", self.backlog
            log.warning(text, behind, len(backlog.ages), backlog.lag, backlog.age_seconds)


async def _partitions(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    numbers = await consumer._client._wait_on_metadata(IMAGES.name)  # noqa: SLF001
    return [TopicPartition(IMAGES.name, number) for number in sorted(numbers)]
