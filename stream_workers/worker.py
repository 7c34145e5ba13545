"""The live worker: one process of the consumer group."""

import asyncio
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Awaitable, Coroutine
from datetime import UTC, datetime
from typing import Any

from aiokafka.errors import KafkaError
from faust.exceptions import NotReady, ProducerSendError
from faust.types import EventT, StreamT
from prometheus_client import start_http_server

from schemas.errors import ModelError
from schemas.experiment import Experiment
from schemas.topics import EXPERIMENTS
from schemas.trial import Trial, TrialAnswer
from stream_workers.acknowledgement import Acknowledgement
from stream_workers.app import faust_app, images
from stream_workers.batching import Batching
from stream_workers.diagnosis import Diagnosis
from stream_workers.experiments import Experiments
from stream_workers.journal import Journal
from stream_workers.models import Loader, Registry
from stream_workers.photograph import LOG_APPEND_TIME, Photograph, Position
from stream_workers.records import Headers
from stream_workers.settings import WorkerSettings
from stream_workers.topology import until_recreated

log = logging.getLogger(__name__)


class Worker:
    """Wires the parts together and lives as long as Faust does.

    SIGTERM finishes what is in work, publishes, commits and leaves the group, or exits where that takes too long: with
    status 0 if nothing was in work. SIGHUP looks at the models again. If one of its tasks dies, the process exits at
    once: what it had not acknowledged is delivered again. So it does when the images topic was recreated: the next
    worker reads that from its start (`offsets`).
    """

    def __init__(self, settings: WorkerSettings, topic_id: str, loader: Loader) -> None:
        self._settings = settings
        self._topic_id = topic_id
        self._name = uuid.uuid4().hex
        self._registry = Registry(settings.models, loader)
        self._experiments = Experiments(settings.kafka, self._registry.names()[0], self._on_experiment, self._on_trial)
        self._journal = Journal(settings.journal, topic_id)
        self._acknowledgement = Acknowledgement(self._send, topic_id)
        diagnosis = Diagnosis(
            self._registry, self._experiments.assign, attempts=settings.attempts, broker_time=settings.mode == "real"
        )
        self._batching = Batching(diagnosis, self._acknowledgement.publish, self._journal, settings.batch_images)
        self._generation: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._app = faust_app(settings, topic_id)
        self._app.agent(images(self._app), name="diagnose")(self._intake)
        self._app.on_rebalance_complete.connect(self._joined)
        self._told = False
        self._deadline = threading.Timer(settings.stop_timeout_s, self._abandon)
        self._deadline.daemon = True

    def execute(self) -> None:
        """Run until SIGTERM or Ctrl-C. Raises ConfigurationError or ModelError where nothing can be served."""
        try:
            asyncio.run(self._run())
        finally:
            self._deadline.cancel()  # not before: a model that is being loaded holds up the end of the loop too
            self._journal.close()

    async def _run(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._background(self._registry.reload()))
        living, stopping = loop.create_task(self._live()), loop.create_task(stop.wait())
        await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            living.result()
        self._deadline.start()
        await self._app.stop()

    async def _live(self) -> None:
        await self._prepare()
        self._vital(self._experiments.follow())
        self._vital(self._batching.run())
        if self._settings.mode == "real":
            self._vital(until_recreated(self._settings.kafka, self._topic_id))
        await self._app.start()
        await self._app.wait_until_stopped()
        if reason := self._app.crash_reason:
            _die(reason)

    async def _prepare(self) -> None:
        """Hold the experiments and the models in force before the first image; follow both from then on."""
        await self._experiments.catch_up()
        in_force = self._experiments.timeline.at(time.time() * 1000)
        if in_force:
            await self._load(in_force)
            if not self._registry.loaded():
                await self._registry.stand_in(in_force.arms[0].model)

    def _joined(self, *_: object, **__: object) -> None:
        """The metrics are open from the first partitions on: whoever asks whether the worker is ready asks there."""
        if self._settings.metrics_port and not self._told:
            self._told = True
            start_http_server(self._settings.metrics_port, self._settings.metrics_host)

    async def _intake(self, stream: StreamT[bytes]) -> None:
        """Only hands over. An exception that left this loop would cost a photograph: Faust goes on with the next."""
        try:
            async for event in stream.noack().events():
                await self._batching.put(self._accept(event))
        except Exception as error:  # noqa: BLE001  whatever it is
            _die(error)

    def _accept(self, event: EventT) -> Photograph:
        message = event.message
        if message.generation_id != self._generation:  # partitions came from another worker: maybe it was killed
            self._generation = message.generation_id
            self._journal.adopt()
        photograph = Photograph(
            position=Position(message.partition, message.offset),
            timestamp_ms=round(-1 if message.timestamp is None else message.timestamp * 1000),
            appended=message.timestamp_type == LOG_APPEND_TIME,
            key=message.key,
            value=message.value,
            headers=message.headers or (),
        )
        self._acknowledgement.accept(photograph, event)
        return photograph

    async def _send(
        self, topic: str, key: bytes | None, value: bytes, partition: int, headers: Headers
    ) -> Awaitable[object]:
        future: Awaitable[object] = await self._app.producer.send(topic, key, value, partition, None, headers)
        return future

    def _on_experiment(self, experiment: Experiment) -> None:
        self._background(self._load(experiment))

    def _on_trial(self, trial: Trial) -> None:
        self._background(self._try(trial))

    async def _load(self, experiment: Experiment) -> None:
        await self._registry.prepare((arm.model, arm.version) for arm in experiment.arms)
        await self._registry.prepare((shadow.model, shadow.version) for shadow in experiment.shadows)

    async def _try(self, trial: Trial) -> None:
        """Say whether this worker can load what an experiment is about to name."""
        refused = {}
        for model in trial.models:
            try:
                await self._registry.try_again(*model.split("@"))
            except ModelError as error:
                refused[model] = error.advice
        answer = TrialAnswer(trial=trial.id, worker=self._name, refused=refused, answered_at=datetime.now(UTC))
        record = answer.envelope()
        try:
            await (await self._send(EXPERIMENTS.name, record.key.encode(), record.value, 0, record.headers()))
        except (KafkaError, ProducerSendError, NotReady) as error:  # who asks does not wait for ever
            log.warning("the trial %s is not answered: %s", trial.id, error)

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _vital(self, work: Coroutine[Any, Any, None]) -> None:
        self._background(work).add_done_callback(_die_with)

    def _abandon(self) -> None:
        seconds, unfinished = self._settings.stop_timeout_s, self._acknowledgement.unfinished
        if not unfinished:
            log.info(
                "not stopped within %g s: the group waits for a lost member, or a model is being loaded; "
                "nothing was in work",
                seconds,
            )
            os._exit(0)
        log.error("%d photographs not finished after %g s: they are delivered again", unfinished, seconds)
        os._exit(1)


def _die_with(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        _die(error)


def _die(error: BaseException) -> None:
    """Exit without Faust's own clean-up, which might commit."""
    log.critical("the worker exits: %s", error, exc_info=error)
    logging.shutdown()
    os._exit(1)
