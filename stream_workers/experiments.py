"""The experiment definitions, held by every worker: read to the end before the first image, then followed."""

import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import EventError
from schemas.experiment import Experiment
from schemas.image import ImageEvent
from schemas.timeline import Timeline
from schemas.topics import EXPERIMENTS
from schemas.trial import Trial, TrialAnswer, read_record
from stream_workers import metrics
from stream_workers.assignment import Assignment, Variant, assign

log = logging.getLogger(__name__)


class Experiments:
    """What is defined, from the compacted topic `leaf.experiments`.

    `fallback` names the model whose newest version answers while no experiment is in force. `on_change` gets what is
    defined, `on_trial` what is asked, from `follow` on.
    """

    def __init__(
        self,
        bootstrap: str,
        fallback: str,
        on_change: Callable[[Experiment], None],
        on_trial: Callable[[Trial], None] = lambda _trial: None,
    ) -> None:
        self._bootstrap = bootstrap
        self._fallback = fallback
        self._on_change = on_change
        self._on_trial = on_trial
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
                for record in await self._read(timeout_ms=60_000):
                    if isinstance(record, Trial):
                        self._on_trial(record)
                    elif not self.timeline.is_void(record):
                        log.info("experiment %s, %s, from %s", record.id, record.status, record.effective_at)
                        self._on_change(record)
        finally:
            await self._consumer.stop()

    async def _read(self, timeout_ms: int) -> list[Experiment | Trial]:
        """What there is; definitions are in the timeline then."""
        read: list[Experiment | Trial] = []
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                try:
                    found = read_record(record.key, record.value, record.headers)
                except EventError as error:
                    metrics.SKIPPED.labels(EXPERIMENTS.name).inc()
                    log.error("record %d of %s is skipped: %s", record.offset, EXPERIMENTS.name, error)
                    continue
                if isinstance(found, Experiment):
                    self.timeline = self.timeline.with_(found)
                if not isinstance(found, TrialAnswer):
                    read.append(found)
        return read
