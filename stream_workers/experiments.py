"""The experiment definitions, held by every worker: read to the end before the first image, then followed."""

import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import EventError
from schemas.experiment import Experiment
from schemas.image import ImageEvent
from schemas.timeline import Timeline
from schemas.topics import EXPERIMENTS
from stream_workers.assignment import Assignment, Variant, assign

log = logging.getLogger(__name__)


class Experiments:
    """What is defined, from the compacted topic `leaf.experiments`.

    `fallback` names the model whose newest version answers while no experiment is in force.
    """

    def __init__(self, bootstrap: str, fallback: str, on_change: Callable[[Experiment], None]) -> None:
        self._bootstrap = bootstrap
        self._fallback = fallback
        self._on_change = on_change
        self._consumer: AIOKafkaConsumer
        self.timeline = Timeline()

    def assign(self, image: ImageEvent, timestamp_ms: float) -> Assignment:
        """Promise 4, by the definition in force at the image's broker timestamp."""
        experiment = self.timeline.at(timestamp_ms)
        return assign(experiment, image) if experiment else Assignment(Variant(self._fallback, self._fallback, None))

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
            await self._read(timeout_ms=500)
        log.info("%d experiment versions in force so far or to come", len(self.timeline.line))

    async def follow(self) -> None:
        """Read what comes, until cancelled."""
        try:
            while True:
                for experiment in await self._read(timeout_ms=60_000):
                    log.info("experiment %s, %s, from %s", experiment.id, experiment.status, experiment.effective_at)
                    self._on_change(experiment)
        finally:
            await self._consumer.stop()

    async def _read(self, timeout_ms: int) -> list[Experiment]:
        """Add what there is to the timeline; returns what is in force or will be."""
        read = []
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                try:
                    experiment = Experiment.read(record.key, record.value, record.headers)
                except EventError as error:
                    log.error("the definition at offset %d is ignored: %s", record.offset, error)
                else:
                    read.append(experiment)
        for experiment in read:
            self.timeline = self.timeline.with_(experiment)
        return [experiment for experiment in read if not self.timeline.is_void(experiment)]
