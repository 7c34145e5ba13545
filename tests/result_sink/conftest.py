"""A sink on a real broker and a real Redis."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from redis import Redis
from sinks import Running

from result_sink.settings import SinkSettings
from schemas.topics import PARTITIONER


@pytest.fixture
def store(redis_server: str) -> Iterator[Redis]:
    """The real Redis, empty."""
    url = f"redis://{redis_server}/0?encoding_errors=backslashreplace"
    with Redis.from_url(url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
def start(topics: str, redis_server: str, store: Redis) -> Iterator[Callable[..., Running]]:
    """Starts sinks; all are stopped at the end."""
    running: list[Running] = []

    def start_one(**changes: Any) -> Running:
        values = {"kafka": topics, "redis": redis_server, "mode": "real", "check_seconds": 0.2, "redis_timeout_s": 2}
        running.append(Running(SinkSettings(**(values | changes))))
        return running[-1]

    yield start_one
    for sink in running:
        sink.stop()


@pytest.fixture
def producer(topics: str) -> Producer:
    return Producer({"bootstrap.servers": topics, "partitioner": PARTITIONER, "linger.ms": 5, "acks": "all"})
