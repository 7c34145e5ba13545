"""The experiment definitions, held by every worker: read to the end before the first image, then followed."""

import logging
from bisect import bisect_right, insort
from collections.abc import Callable
from operator import itemgetter

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import EventError
from schemas.experiment import Experiment
from schemas.image import ImageEvent
from schemas.topics import EXPERIMENTS
from stream_workers.assignment import Assignment, Variant, assign

log = logging.getLogger(__name__)


class Timeline:
    """Which definition was in force when. A definition is immutable: the first of a `name@version` counts."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._definitions: list[tuple[float, Experiment]] = []
        self.fallback = ""
        """Name of the model that answers while nothing is defined."""

    def add(self, experiment: Experiment) -> bool:
        """Whether the definition was new."""
        if experiment.id in self._known:
            return False
        self._known.add(experiment.id)
        # Behind those that became effective at the same time: the later in the log wins.
        insort(self._definitions, (experiment.effective_at.timestamp() * 1000, experiment), key=itemgetter(0))
        return True

    def in_force(self, timestamp_ms: int) -> Experiment | None:
        """The latest definition effective at that broker time; before all of them, the first; None without any."""
        if not self._definitions:
            return None
        index = bisect_right(self._definitions, timestamp_ms, key=itemgetter(0))
        return self._definitions[max(index - 1, 0)][1]

    def newest(self) -> Experiment | None:
        """The definition that is effective last."""
        return self._definitions[-1][1] if self._definitions else None

    def assign(self, image: ImageEvent, timestamp_ms: int) -> Assignment:
        """Promise 4; without any definition the newest version of the fallback model answers."""
        experiment = self.in_force(timestamp_ms)
        return assign(experiment, image) if experiment else Assignment(Variant(self.fallback, self.fallback, None))


class Follower:
    """Fills a timeline from the compacted topic `leaf.experiments`."""

    def __init__(self, bootstrap: str, timeline: Timeline, on_change: Callable[[Experiment], None]) -> None:
        self._bootstrap = bootstrap
        self._timeline = timeline
        self._on_change = on_change
        self._consumer: AIOKafkaConsumer

    async def catch_up(self) -> None:
        """Read everything that is there now."""
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await self._consumer.start()
        partition = TopicPartition(EXPERIMENTS.name, 0)
        self._consumer.assign([partition])
        end = (await self._consumer.end_offsets([partition]))[partition]
        await self._consumer.seek_to_beginning(partition)
        while await self._consumer.position(partition) < end:
            for experiment in await self._read(timeout_ms=500):
                log.info("experiment %s, %s, from %s", experiment.id, experiment.status, experiment.effective_at)

    async def follow(self) -> None:
        """Read what comes, until cancelled."""
        try:
            while True:
                for experiment in await self._read(timeout_ms=60_000):
                    self._on_change(experiment)
        finally:
            await self._consumer.stop()

    async def _read(self, timeout_ms: int) -> list[Experiment]:
        """Add what there is to the timeline; returns what was new."""
        new = []
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                try:
                    experiment = Experiment.read(record.key, record.value, record.headers)
                except EventError as error:
                    log.error("the definition at offset %d is ignored: %s", record.offset, error)
                    continue
                if self._timeline.add(experiment):
                    new.append(experiment)
        return new
