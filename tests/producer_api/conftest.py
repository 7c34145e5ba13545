"""An API in this process, with a broker that only remembers and a Redis in memory; test_processes has the real ones."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakeredis import FakeAsyncRedis
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from hypothesis import settings
from PIL import Image

from producer_api.app import create_app
from producer_api.results.notices import Notices
from producer_api.results.store import ResultStore
from producer_api.seal import Seal
from producer_api.settings import ApiSettings
from producer_api.task_id import TaskIds
from producer_api.uploads.admission import Admission
from producer_api.uploads.backlog import Backlog, Backpressure
from producer_api.uploads.endpoints import Shortcut
from schemas.envelope import Envelope
from schemas.errors import BrokerUnavailableError
from schemas.prediction import Prediction
from schemas.result import DONE_AT_FIELD, DONE_CHANNEL, PREDICTION_FIELD, result_key
from schemas.topics import Topic
from tests.support.examples import prediction

settings.register_profile("leaf", deadline=None)  # the machine is shared
settings.load_profile("leaf")

DAY = 86400
ADMIN_KEY = "the-admin-key-of-the-tests"


@dataclass
class RememberingAcceptance:
    """Stands for the broker: keeps what it was given, or refuses."""

    away: bool = False
    connected: bool = True
    accepted: list[tuple[Topic, Envelope]] = field(default_factory=list)

    async def accept(self, topic: Topic, envelope: Envelope) -> None:
        if self.away:
            msg = "not confirmed"
            raise BrokerUnavailableError(msg, "Send it again.")
        self.accepted.append((topic, envelope))


@pytest.fixture
def acceptance() -> RememberingAcceptance:
    return RememberingAcceptance()


@pytest.fixture
def api_settings(tmp_path: Path) -> ApiSettings:
    return ApiSettings.model_validate(
        {
            "kafka": "127.0.0.1:1",
            "redis": "127.0.0.1:1",
            "models_dir": tmp_path / "models",
            "upload_memory_mb": 16,
            "admin_key": ADMIN_KEY,
            "mode": "real",
        }
    )


@pytest.fixture
def ids() -> TaskIds:
    return TaskIds(Seal(b"the key of the tests"), 30 * DAY)


@pytest.fixture
async def redis() -> AsyncIterator[FakeAsyncRedis]:
    async with FakeAsyncRedis() as client:
        yield client


@pytest.fixture
async def services(
    api_settings: ApiSettings, acceptance: RememberingAcceptance, ids: TaskIds, redis: FakeAsyncRedis
) -> AsyncIterator[SimpleNamespace]:
    store = ResultStore(redis)
    made = SimpleNamespace(
        settings=api_settings,
        task_ids=ids,
        admission=Admission(api_settings.upload_memory_mb * 2**20, 1),
        acceptance=acceptance,
        backpressure=Backpressure("", every_seconds=1, max_age_seconds=60, broker_times=True),
        store=store,
        notices=Notices(redis, store),
    )
    yield made
    made.admission.stop()


@pytest.fixture
def app(api_settings: ApiSettings, services: SimpleNamespace) -> FastAPI:
    made = create_app(api_settings)
    made.state.services = services
    return made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(
        transport=ASGITransport(Shortcut(app), raise_app_exceptions=False), base_url="http://api"
    ) as made:
        yield made


@pytest.fixture
def overloaded(services: SimpleNamespace) -> Iterator[None]:
    services.backpressure.backlog = Backlog(1000, {0: 61})
    yield
    services.backpressure.backlog = Backlog(0, {})


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A photograph that needs no change."""
    return encoded(Image.effect_noise((256, 192), 40).convert("RGB"))


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


async def until(condition: Callable[[], object]) -> None:
    """Wait, while other tasks run, for as long as the test may take."""
    while not condition():  # noqa: ASYNC110  a condition of any kind
        await asyncio.sleep(0.005)


async def sink(redis: FakeAsyncRedis, task_id: str, **changes: object) -> Prediction:
    """Write a result as the sink does, and say so."""
    made = prediction(image_id=task_id, **changes)
    done_at = made.source.timestamp_ms + 250
    await redis.hset(
        result_key(task_id), mapping={PREDICTION_FIELD: made.model_dump_json(), DONE_AT_FIELD: str(done_at)}
    )
    await redis.publish(DONE_CHANNEL, task_id)
    return made
