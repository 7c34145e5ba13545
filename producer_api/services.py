"""What an API process holds while it runs, made from its settings and handed to the endpoints."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import Depends, Request

from producer_api.analytics import proportions
from producer_api.analytics.answers import Answers
from producer_api.analytics.counts import CounterStore
from producer_api.analytics.drift_watch import DriftWatch
from producer_api.cameras.log import CameraLog
from producer_api.experiments.log import ExperimentLog
from producer_api.experiments.register import Register
from producer_api.experiments.trials import Trials
from producer_api.results.notices import Notices
from producer_api.results.store import ResultStore, connect
from producer_api.runs.log import RunLog
from producer_api.seal import Seal, shared_key
from producer_api.settings import ApiSettings
from producer_api.task_id import TaskIds
from producer_api.uploads.acceptance import Acceptance
from producer_api.uploads.admission import Admission
from producer_api.uploads.backlog import Backpressure
from schemas.settings import var_dir
from schemas.topics import DAY_MS


@dataclass(frozen=True)
class Services:
    """The parts of one process."""

    settings: ApiSettings
    task_ids: TaskIds
    admission: Admission
    acceptance: Acceptance
    backpressure: Backpressure
    store: ResultStore
    notices: Notices
    cameras: CameraLog
    experiments: Register
    runs: RunLog
    answers: Answers
    counters: CounterStore
    """To be read in the thread of `answers`."""
    drift: DriftWatch

    @classmethod
    @asynccontextmanager
    async def running(cls, settings: ApiSettings) -> AsyncIterator[Self]:
        """Start them, and stop them in the opposite order. Neither Kafka nor Redis need be there yet."""
        redis = connect(settings.redis_url, settings.store_seconds)
        store = ResultStore(redis)
        register = Register(
            ExperimentLog(settings.kafka, settings.publish_seconds),
            settings.models_dir,
            trials=Trials(settings.kafka, settings.worker_group, embedded=settings.mode == "embedded"),
        )
        counter_store = CounterStore(settings.redis_url, settings.store_seconds, settings.kept)
        answers = Answers()
        services = cls(
            settings=settings,
            task_ids=task_ids(settings),
            admission=Admission(settings.upload_memory_mb * 2**20, settings.decode_threads),
            acceptance=Acceptance(settings.kafka, settings.publish_seconds, settings.linger_ms),
            backpressure=Backpressure(
                settings.kafka,
                group=settings.worker_group,
                every_seconds=settings.sample_seconds,
                max_age_seconds=settings.max_backlog_seconds,
                broker_times=settings.mode == "real",
            ),
            store=store,
            notices=Notices(redis, store),
            cameras=CameraLog(redis, store),
            experiments=register,
            runs=RunLog(settings.kafka, settings.publish_seconds),
            answers=answers,
            counters=counter_store,
            drift=DriftWatch(answers, register, counter_store, settings.models_dir),
        )
        answers.prepare(proportions.load)
        services.acceptance.start()
        services.backpressure.start()
        services.notices.start()
        register.start()
        services.runs.start()
        services.drift.start()
        try:
            yield services
        finally:
            await services.drift.stop()
            await services.runs.stop()
            answers.stop()
            counter_store.close()
            register.close()
            await services.notices.stop()
            await services.backpressure.stop()
            await services.acceptance.stop()
            services.admission.stop()
            await redis.aclose()


def task_ids(settings: ApiSettings) -> TaskIds:
    """Ids under the key that all API processes share."""
    key = settings.task_id_key.get_secret_value().encode() if settings.task_id_key else None
    return TaskIds(Seal(key or shared_key(var_dir() / "task_id.key")), settings.retention_days * DAY_MS / 1000)


async def _here(request: Request) -> Services:  # not in a thread: others may hold all of them
    services: Services = request.app.state.services
    return services


ServicesHere = Annotated[Services, Depends(_here)]
"""An endpoint's parameter."""
