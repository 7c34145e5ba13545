"""Servers that tests share: a real Kafka and a real Redis, once per test run, in the run's own temporary directory."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from ops.broker import Broker
from ops.redis import RedisServer
from ops.settings import TopicSettings
from ops.topics import create_topics, partition_counts

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


@pytest.fixture
def topics(kafka: str) -> str:
    """`host:port` of the broker, all topics new and empty (their committed offsets go with them); no experiment."""
    admin = AdminClient({"bootstrap.servers": kafka})
    if old := list(partition_counts(admin)):
        for deleted in admin.delete_topics(old, operation_timeout=10).values():
            deleted.result(10)
        while partition_counts(admin):
            time.sleep(0.05)
    create_topics(TopicSettings(kafka=kafka), experiment=False)
    return kafka


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
