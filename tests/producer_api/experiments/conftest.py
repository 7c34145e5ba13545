"""Model cards to name, and an API that talks to the real broker."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from workers import write_model

from producer_api import problems
from producer_api.experiments.endpoints import router
from producer_api.experiments.log import ExperimentLog
from producer_api.experiments.register import Register
from producer_api.settings import ApiSettings

Serve = Callable[..., AbstractAsyncContextManager[AsyncClient]]
ADMIN_KEY = "the-admin-key-of-the-tests"
PATIENCE = 30  # a broker just asked for eight topics is busy for a while


@pytest.fixture(scope="session")
def admin() -> dict[str, str]:
    """Headers of who may change things."""
    return {"Authorization": f"Bearer {ADMIN_KEY}"}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the models resnet50@1, resnet50@2 and efficientnetb0@1, and resnet50@6, which is damaged."""
    directory = tmp_path_factory.mktemp("models")
    for name, version in (("resnet50", "1"), ("resnet50", "2"), ("efficientnetb0", "1")):
        write_model(directory, name, version)
    write_model(directory, "resnet50", "6", files={"weights.npz": "0" * 64})
    return directory


@pytest.fixture
def registers(topics: str, models: Path) -> Iterator[tuple[Register, Register]]:
    """Two processes' registers on the real broker, all topics empty."""
    one, other = (Register(ExperimentLog(topics, PATIENCE), models) for _ in range(2))
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def serve(models: Path) -> Serve:
    """Makes a client of these endpoints alone, with these settings."""

    @asynccontextmanager
    async def served(**given: object) -> AsyncIterator[AsyncClient]:
        settings = ApiSettings.model_validate({"publish_seconds": PATIENCE} | given)
        register = Register(ExperimentLog(settings.kafka, settings.publish_seconds), models)
        app = FastAPI()
        problems.install(app)
        app.include_router(router)
        app.state.services = SimpleNamespace(settings=settings, experiments=register)
        async with AsyncClient(transport=ASGITransport(app), base_url="http://api") as client:
            yield client
        register.close()

    return served


@pytest.fixture
async def api(topics: str, serve: Serve) -> AsyncIterator[AsyncClient]:
    """The endpoints with an admin key, on the real broker."""
    async with serve(kafka=topics, admin_key=ADMIN_KEY) as client:
        yield client
