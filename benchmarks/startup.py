"""A worker's way from process start to its first prediction, and its memory after work."""

import time
from pathlib import Path
from typing import Final, NamedTuple

from confluent_kafka import Consumer, TopicPartition

from benchmarks.accounting import rss_mb
from benchmarks.feeding import produce_images
from benchmarks.rig import service
from ops.broker import Broker
from ops.settings import TopicSettings
from ops.topics import create_topics
from schemas.topics import PREDICTIONS

IMAGES: Final = 1000
DEADLINE_S: Final = 120


class Startup(NamedTuple):
    """What was measured."""

    first_prediction_s: float
    rss_mb: float


def measure(directory: Path, photographs: list[bytes]) -> Startup:
    """Start a worker on a topic that holds photographs already."""
    with Broker(directory / "kafka") as broker:
        create_topics(TopicSettings(kafka=broker.address))
        produce_images(broker.address, photographs, IMAGES)
        start = time.perf_counter()
        env = {"KAFKA": broker.address, "LEAF_VAR": str(directory)}
        with service("worker", "stream_workers", directory=directory, env=env) as worker:
            await_predictions(broker.address, 1)
            first = time.perf_counter() - start
            await_predictions(broker.address, IMAGES)
            assert worker.pid is not None
            return Startup(first, rss_mb(worker.pid))


def await_predictions(bootstrap: str, count: int) -> None:
    """Return as soon as the predictions topic holds `count` records."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench"})
    try:
        partitions = consumer.list_topics(PREDICTIONS.name, timeout=10).topics[PREDICTIONS.name].partitions
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            ends = [consumer.get_watermark_offsets(TopicPartition(PREDICTIONS.name, n), timeout=10) for n in partitions]
            if sum(high for _, high in ends) >= count:
                return
            time.sleep(0.01)
    finally:
        consumer.close()
    msg = f"{count} predictions did not come within {DEADLINE_S} s"
    raise TimeoutError(msg)
