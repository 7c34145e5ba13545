"""Promise 5: the past is computed again, and no live number moves."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata

from schemas.errors import EventError
from schemas.image import ImageEvent
from schemas.replay import Progress, Run, Tally
from schemas.topics import IMAGES, MAX_IMAGE_BYTES, REPLAYS
from stream_workers.assignment import Assignment, Variant
from stream_workers.batching import Batching
from stream_workers.diagnosis import Diagnosis, Route
from stream_workers.experiments import Experiments
from stream_workers.journal import Journal
from stream_workers.models import Loader, Registry
from stream_workers.photograph import LOG_APPEND_TIME, Photograph, Position
from stream_workers.replay.history import History, Stretch
from stream_workers.replay.progress import Group
from stream_workers.replay.speed import Speed
from stream_workers.settings import WorkerSettings
from stream_workers.topology import METADATA_MAX_AGE_MS, until_recreated

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often a worker that has nothing to do looks whether the others are done, or gone."""
MANY_SKIPPED = 1000


class Replayer(ConsumerRebalanceListener):  # type: ignore[misc]
    """One worker of a run; start as many as there are cores to spare.

    1. The bounds stand in `leaf.runs` since the run was defined. The run's own consumer group shares the partitions
       among its workers; each is read from what the group committed, or from the run's start, to the run's end.
    2. Records go through the live worker's stages, in the order of their broker timestamps.
    3. Predictions carry the run's name and go to `leaf.replays`, on their image's partition number; the sink keeps them
       under the run's own keys. Nothing is written to any other topic.
    4. When the broker has acknowledged them (acks=all, idempotent) their offsets are committed, with the tally of the
       partition in the commit's metadata: both move together.
    5. A worker with nothing left waits for the others, takes over if one goes away, and ends when all partitions are
       at their end.

    Survives: kill -9 (what was not committed is computed again, and the sink knows source positions), workers that
    come and go, the broker away, images that retention takes meanwhile (they are passed over).
    """

    def __init__(self, settings: WorkerSettings, run: Run, loader: Loader, speed: Speed) -> None:
        self._settings, self._run, self._speed = settings, run, speed
        self._registry = Registry(settings.models, loader)
        self._group = Group(settings.kafka, run)
        self._turn = asyncio.Lock()
        self._in_work = 0
        self._idle = asyncio.Event()
        self._stopping = False
        self._consumer: AIOKafkaConsumer
        self._producer: AIOKafkaProducer
        self._history: History

    def stop(self) -> None:
        """Let `work` finish what is in work and return."""
        self._stopping = True

    async def work(self) -> None:
        """Until the run is finished, or `stop`.

        Raises ModelError where its model can't be served, TopicRecreatedError where its images are gone.
        """
        async with AsyncExitStack() as stack:
            route = await self._route(stack)
            diagnosis = Diagnosis(
                self._registry,
                route,
                attempts=self._settings.attempts,
                broker_time=self._settings.mode == "real",
                stand_ins=self._run.model is None,
            )
            journal = Journal(self._settings.journal / "replays" / self._run.name, self._run.topic_id)
            stack.callback(journal.close)
            batching = Batching(diagnosis, self._publish, journal, self._settings.batch_images)
            await self._connect(stack)
            stages, reading = asyncio.create_task(batching.run()), asyncio.create_task(self._read(batching.put))
            tasks = {stages, reading}
            if self._settings.mode == "real":
                tasks.add(asyncio.create_task(until_recreated(self._settings.kafka, self._run.topic_id)))
            stack.push_async_callback(_cancel, *tasks)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _route(self, stack: AsyncExitStack) -> Route:
        if self._run.model:
            name, version = self._run.model.split("@")
            await self._registry.get(name, version)
            fixed = Assignment(Variant(name, name, version))
            return lambda _image, _timestamp_ms: fixed
        experiments = Experiments(self._settings.kafka, self._registry.names()[0], lambda _experiment: None)
        await experiments.catch_up()
        stack.push_async_callback(_cancel, asyncio.create_task(experiments.follow()))
        return experiments.assign

    async def _connect(self, stack: AsyncExitStack) -> None:
        servers = self._settings.kafka
        self._producer = AIOKafkaProducer(
            bootstrap_servers=servers, client_id="leaf-replay", acks="all", enable_idempotence=True
        )
        await self._producer.start()
        stack.push_async_callback(self._producer.stop)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers,
            client_id="leaf-replay",
            group_id=self._run.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=2 * MAX_IMAGE_BYTES,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            session_timeout_ms=int(self._settings.session_timeout_s * 1000),
            heartbeat_interval_ms=2000,
        )
        self._history = History(self._consumer, self._run)
        self._consumer.subscribe([IMAGES.name], listener=self)
        await self._consumer.start()
        stack.push_async_callback(self._consumer.stop)

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:  # noqa: ARG002
        """Finish and commit what is in work before others get it."""
        async with self._turn:
            await self._until_idle()
            self._history.release()

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Go on where the group has committed."""
        progress = await asyncio.to_thread(self._group.progress)
        async with self._turn:
            self._history.hold({place.partition for place in assigned}, progress)

    async def _read(self, put: Callable[[Photograph], Awaitable[None]]) -> None:
        """Hand over record after record, until the run is finished."""
        while not self._stopping:
            record = await self._history.oldest()
            if record is None:
                await self._settle()
                if await self._finished():
                    break
            elif await self._speed.reached(min(record.timestamp, int(time.time() * 1000))):  # a producer's may be ahead
                async with self._turn:
                    await self._hand_over(record, put)
        await self._until_idle()
        await self._settle()

    async def _hand_over(self, record: ConsumerRecord, put: Callable[[Photograph], Awaitable[None]]) -> None:
        stretch = self._history.take(record)
        if stretch is None:
            return
        if self._run.cameras and camera_of(record) not in self._run.cameras:
            if stretch.skipped >= MANY_SKIPPED:
                await self._commit({record.partition: stretch})
            return
        stretch.in_work += 1
        self._in_work += 1
        await put(
            Photograph(
                position=Position(record.partition, record.offset),
                timestamp_ms=record.timestamp,
                appended=record.timestamp_type == LOG_APPEND_TIME,
                key=record.key,
                value=record.value,
                headers=record.headers,
            )
        )

    async def _publish(self, batch: list[Photograph]) -> None:
        pending = []
        for photograph in batch:
            prediction = photograph.prediction(self._run.topic_id, self._run.name)
            envelope = prediction.envelope(key="", traceparent=photograph.traceparent)
            sent = await self._producer.send(
                REPLAYS.name,
                envelope.value,
                photograph.prediction_key,
                partition=photograph.position.partition,
                headers=envelope.headers(),
            )
            pending.append(sent)
        await asyncio.gather(*pending)
        await self._count(batch)

    async def _count(self, batch: list[Photograph]) -> None:
        """Add the batch to its partitions' tallies, and commit both."""
        failed = Counter(photograph.position.partition for photograph in batch if photograph.failure)
        last = {photograph.position.partition: photograph.position.offset for photograph in batch}
        done = Counter(photograph.position.partition for photograph in batch)
        moved = {}
        for partition, number in done.items():
            stretch = self._history.stretches[partition]
            stretch.in_work -= number
            stretch.tally = Tally(
                answered=stretch.tally.answered + number - failed[partition],
                failed=stretch.tally.failed + failed[partition],
            )
            moved[partition] = stretch
        await self._commit(moved, last)
        self._in_work -= len(batch)
        if not self._in_work:
            self._idle.set()

    async def _commit(self, stretches: dict[int, Stretch], last: dict[int, int] | None = None) -> None:
        """Up to the last offset published; of a partition with nothing in work up to what was passed over too."""
        places = {}
        for partition, stretch in stretches.items():
            stretch.committed = (last or {})[partition] + 1 if stretch.in_work else stretch.next
            place = OffsetAndMetadata(stretch.committed, stretch.tally.metadata())
            places[TopicPartition(IMAGES.name, partition)] = place
        try:
            await self._consumer.commit(places)
        except (CommitFailedError, IllegalStateError):
            log.warning("partitions were given to another worker before they were committed: it computes them again")

    async def _settle(self) -> None:
        """Commit what was passed over."""
        skipped = {p: stretch for p, stretch in self._history.stretches.items() if stretch.skipped}
        if skipped:
            await self._commit(skipped)

    async def _finished(self) -> bool:
        if any(not stretch.read_out for stretch in self._history.stretches.values()):
            return False
        await self._until_idle()
        await self._settle()
        progress: Progress = await asyncio.to_thread(self._group.progress)
        if not progress.finished:
            await asyncio.sleep(LOOK_S)
        return progress.finished

    async def _until_idle(self) -> None:
        while self._in_work:
            self._idle.clear()
            await self._idle.wait()


def camera_of(record: ConsumerRecord) -> str | None:
    """The camera of an image event; None where it has none, or is no event."""
    try:
        return ImageEvent.read(record.key, record.value, record.headers).camera
    except EventError:
        return None


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
