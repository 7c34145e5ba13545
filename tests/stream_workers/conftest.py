"""What the workers' tests share."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cluster import Cluster
from workers import FlatEngine, write_model

from ops.broker import Broker
from ops.process import Process
from ops.topics import TopicSettings, create_topics
from schemas.card import ModelCard
from stream_workers.models import Registry

ROOT = Path(__file__).parents[2]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A directory of models with flat@1."""
    write_model(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def engines() -> dict[str, FlatEngine]:
    """The engines that were loaded, by version."""
    return {}


@pytest.fixture
def registry(models: Path, engines: dict[str, FlatEngine]) -> Registry:
    """Models of the test double."""

    def load(_directory: Path, card: ModelCard) -> FlatEngine:
        engines[card.version] = FlatEngine()
        return engines[card.version]

    return Registry(models, load)


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this module's own, with topics and no experiment: other tests' photographs are not ours."""
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        create_topics(TopicSettings(kafka=running.address), experiment=False)
        yield running


@pytest.fixture
def cluster(own_broker: Broker) -> Cluster:
    """Produces photographs, reads what was said of them."""
    return Cluster(own_broker.address)


@pytest.fixture
def start_worker(own_broker: Broker, models: Path, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts workers with the test double's engine; they are killed in the end."""
    with ExitStack() as stack:

        def start(seconds: float = 0, behaviour: str = "", **env: object) -> Process:
            number = len(list(tmp_path.glob("worker-*.log")))
            log = tmp_path / f"worker-{number}.log"
            log.touch()
            process = Process(
                f"worker-{number}",
                [sys.executable, "-m", "workers", str(seconds), behaviour],
                log=log,
                env={
                    "KAFKA": own_broker.address,
                    "LEAF_VAR": str(tmp_path / "var"),
                    "LEAF_WORKER_MODELS": str(models),
                    "LEAF_WORKER_BATCH_IMAGES": "8",
                    "LEAF_WORKER_SESSION_TIMEOUT_S": "6",
                    "LEAF_WORKER_COMMIT_INTERVAL_S": "0.2",
                    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")]),
                }
                | {name: str(value) for name, value in env.items()},
            )
            process.launch()
            stack.callback(process.kill)
            return process

        yield start


def until(what: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)
