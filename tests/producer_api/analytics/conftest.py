"""The analytics endpoints on counters that the real sink wrote."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import Producer
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from redis import Redis
from sinks import Running
from traffic import card

from producer_api import problems
from producer_api.analytics.answers import Answers
from producer_api.analytics.counts import CounterStore
from producer_api.analytics.endpoints import router
from producer_api.experiments.log import ExperimentLog
from producer_api.experiments.register import Register
from producer_api.settings import ApiSettings
from producer_api.uploads.backlog import Backlog
from result_sink.settings import SinkSettings
from schemas.topics import PARTITIONER
from tests.producer_api.conftest import ADMIN_KEY

KEPT = {"minute": timedelta(days=3650), "hour": timedelta(days=3650)}


@pytest.fixture
def store(redis_server: str) -> Iterator[Redis]:
    """The real Redis, empty."""
    with Redis.from_url(f"redis://{redis_server}/0", decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def counters(redis_server: str, store: Redis) -> Iterator[CounterStore]:
    found = CounterStore(f"redis://{redis_server}/0", 10, KEPT)
    yield found
    found.close()


@pytest.fixture
def sink(topics: str, redis_server: str, store: Redis) -> Iterator[Running]:
    """The real sink on the real broker, all topics and the Redis empty."""
    running = Running(SinkSettings(kafka=topics, redis=redis_server, mode="real", check_seconds=0.2))
    yield running
    running.stop()


@pytest.fixture
def producer(topics: str) -> Producer:
    return Producer({"bootstrap.servers": topics, "partitioner": PARTITIONER, "linger.ms": 5, "acks": "all"})


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Cards of resnet50@1 and efficientnetb0@1 with drift baselines in the counters' own bins."""
    for name in ("resnet50", "efficientnetb0"):
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "1" / "card.json").write_text(card(name).model_dump_json())
    return tmp_path


@pytest.fixture
def experiments(topics: str) -> Iterator[ExperimentLog]:
    log = ExperimentLog(topics, 30)
    yield log
    log.close()


@pytest.fixture
async def api(experiments: ExperimentLog, counters: CounterStore, models: Path) -> AsyncIterator[AsyncClient]:
    """The analytics endpoints alone."""
    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    settings = ApiSettings.model_validate({"models_dir": models, "admin_key": ADMIN_KEY})
    register = Register(experiments, models)
    answers = Answers()
    app.state.services = SimpleNamespace(
        settings=settings,
        experiments=register,
        counters=counters,
        answers=answers,
        backpressure=SimpleNamespace(backlog=Backlog(0, {})),
    )
    async with AsyncClient(transport=ASGITransport(app), base_url="http://api", timeout=60) as client:
        yield client
    answers.stop()
