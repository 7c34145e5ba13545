"""Servers that tests share: a real Kafka and a real Redis, once per test run, in the run's own temporary directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.broker import Broker
from ops.redis import RedisServer

ROOT = Path(__file__).parents[1]
LEAVES = ROOT.parent / "shared" / "leaves"


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The running broker itself, for tests that stop or kill it; leave it running."""
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka(broker: Broker) -> str:
    """`host:port` of a real broker without topics."""
    return broker.address


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The running Redis itself, for tests that stop or kill it; leave it running."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="session")
def redis_server(redis_process: RedisServer) -> str:
    """`host:port` of a real Redis; empty it first if you need it empty."""
    return redis_process.address


@pytest.fixture(scope="session")
def leaves() -> Path:
    """Directory of the photographs."""
    if not LEAVES.is_dir():
        pytest.skip(f"the photographs are not at {LEAVES}")
    return LEAVES
