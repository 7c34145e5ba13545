"""The live worker: one process of the consumer group."""

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Coroutine
from typing import Any

import faust
from faust.types import EventT, StreamT
from prometheus_client import start_http_server

from schemas.errors import ModelError
from schemas.experiment import Experiment
from stream_workers.acknowledgement import Acknowledgement, Headers
from stream_workers.app import faust_app, images
from stream_workers.batching import Batching
from stream_workers.diagnosis import Diagnosis
from stream_workers.experiments import Experiments
from stream_workers.journal import Journal
from stream_workers.models import Loader, Registry
from stream_workers.photograph import Photograph, Position
from stream_workers.settings import WorkerSettings

log = logging.getLogger(__name__)


class Worker(faust.Worker):  # type: ignore[misc]
    """Wires the parts together and lives as long as Faust does.

    SIGTERM finishes what is in work, publishes, commits and leaves the group; SIGHUP looks at the models again. If one
    of its tasks dies, the process exits at once: what it had not acknowledged is delivered again.
    """

    def __init__(self, settings: WorkerSettings, topic_id: str, loader: Loader) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        app = faust_app(settings)
        super().__init__(app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)
        self.spinner = None  # Faust's own; it writes escape codes into logs
        self._settings = settings
        self._registry = Registry(settings.models, loader)
        self._experiments = Experiments(settings.kafka, self._registry.names()[0], self._on_experiment)
        self._journal = Journal(settings.journal, topic_id)
        self._acknowledgement = Acknowledgement(self._send, topic_id)
        diagnosis = Diagnosis(
            self._registry, self._experiments.assign, attempts=settings.attempts, broker_time=settings.mode == "real"
        )
        self._batching = Batching(diagnosis, self._acknowledgement.publish, self._journal, settings.batch_images)
        self._generation: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        app.agent(images(app), name="diagnose")(self._intake)

    def execute(self) -> None:
        """Run until a signal; leaves by SystemExit. Raises ConfigurationError where nothing can be served."""
        self.loop.run_until_complete(self._prepare())
        try:
            self.execute_from_commandline()
        finally:
            self._journal.close()

    async def stop(self) -> None:
        """Stop in good order, or by force after the stop timeout."""
        deadline = threading.Timer(self._settings.stop_timeout_s, self._abandon)
        deadline.daemon = True
        deadline.start()
        await super().stop()
        deadline.cancel()

    async def _prepare(self) -> None:
        """Hold the experiments and the models in force before the first image; follow both from then on."""
        await self._experiments.catch_up()
        in_force = self._experiments.timeline.at(time.time() * 1000)
        if in_force:
            await self._load(in_force)
            if not self._registry.loaded():
                msg = f"no model of experiment {in_force.id} can be served from {self._settings.models}"
                raise ModelError(msg, "Export the models it names, or start another experiment.")
        if self._settings.metrics_port:
            start_http_server(self._settings.metrics_port, self._settings.metrics_host)
        self._vital(self._experiments.follow())
        self._vital(self._batching.run())
        self.loop.add_signal_handler(signal.SIGHUP, lambda: self._background(self._registry.reload()))

    async def _intake(self, stream: StreamT[bytes]) -> None:
        """Only hands over, so that nothing can raise here: Faust would acknowledge the event."""
        async for event in stream.noack().events():
            await self._batching.put(self._accept(event))

    def _accept(self, event: EventT) -> Photograph:
        message = event.message
        if message.generation_id != self._generation:  # partitions came from another worker: maybe it was killed
            self._generation = message.generation_id
            self._journal.adopt()
        photograph = Photograph(
            position=Position(message.partition, message.offset),
            timestamp_ms=max(0, round((message.timestamp or 0) * 1000)),
            key=message.key,
            value=message.value,
            headers=message.headers or (),
        )
        self._acknowledgement.accept(photograph, event)
        return photograph

    async def _send(
        self, topic: str, key: bytes | None, value: bytes, partition: int, headers: Headers
    ) -> Awaitable[object]:
        future: Awaitable[object] = await self.app.producer.send(topic, key, value, partition, None, headers)
        return future

    def _on_experiment(self, experiment: Experiment) -> None:
        self._background(self._load(experiment))

    async def _load(self, experiment: Experiment) -> None:
        await self._registry.prepare((arm.model, arm.version) for arm in experiment.arms)
        await self._registry.prepare((shadow.model, shadow.version) for shadow in experiment.shadows)

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _vital(self, work: Coroutine[Any, Any, None]) -> None:
        self._background(work).add_done_callback(_die_with)

    def _abandon(self) -> None:
        log.error(
            "not finished after %g s: what was not acknowledged is delivered again", self._settings.stop_timeout_s
        )
        os._exit(1)


def _die_with(task: asyncio.Task[None]) -> None:
    """Exit without Faust's own clean-up, which might commit."""
    if not task.cancelled() and (error := task.exception()):
        log.critical("the worker exits: %s", error, exc_info=error)
        logging.shutdown()
        os._exit(1)
