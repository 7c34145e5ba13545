"""A worker's way from process start to its first prediction, and its memory after work."""

import time
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.accounting import rss_mb
from benchmarks.feeding import await_records, produce_images
from benchmarks.rig import service
from ops.broker import Broker
from ops.settings import TopicSettings
from ops.topics import create_topics
from schemas.topics import PREDICTIONS

IMAGES: Final = 1000


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
            await_records(broker.address, PREDICTIONS, 1)
            first = time.perf_counter() - start
            await_records(broker.address, PREDICTIONS, IMAGES)
            assert worker.pid is not None
            return Startup(first, rss_mb(worker.pid))
