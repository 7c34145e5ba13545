"""One, two and four workers on twelve partitions, with an engine that only waits, so that cores are no limit."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.feeding import await_records, produce_images
from benchmarks.rig import service
from ops.broker import Broker
from ops.settings import TopicSettings
from ops.topics import create_topics
from schemas.card import ModelCard
from schemas.labels import LABELS
from schemas.topics import PREDICTIONS
from stream_workers import __main__ as worker_main
from stream_workers.engines import Engine, Outputs
from stream_workers.engines.engine import Images
from stream_workers.settings import WorkerSettings

WORKERS: Final = (1, 2, 4)
MS_PER_IMAGE: Final = 25
IMAGES_PER_WORKER: Final = 1000


class WaitingEngine:
    """Takes 25 ms an image and no CPU."""

    name = "waiting"
    ceiling = 8
    sizes = (1, 8)

    def infer(self, images: Images, larger: Sequence[Images] | None = None) -> Outputs:  # noqa: ARG002
        """Wait; answers differ so that the self-test passes."""
        time.sleep(len(images) * MS_PER_IMAGE / 1000)
        logits = np.outer(images.mean((1, 2, 3)), np.linspace(0, 1, len(LABELS))).astype(np.float32)
        return Outputs(logits, logits[:, 1], np.repeat(logits[:, None, None, :], 1, axis=1))


def measure(directory: Path, photographs: list[bytes]) -> dict[int, float]:
    """Number of workers -> predictions a second as a share of that number times one worker's."""
    rates = {count: _rate(directory / str(count), photographs, count) for count in WORKERS}
    return {count: rates[count] / count / rates[1] for count in WORKERS[1:]}


def _rate(directory: Path, photographs: list[bytes], count: int) -> float:
    with Broker(directory / "kafka") as broker, ExitStack() as workers:
        create_topics(TopicSettings(kafka=broker.address))
        for number in range(count):
            env = {"KAFKA": broker.address, "LEAF_VAR": str(directory)}
            workers.enter_context(service(f"worker-{number}", "benchmarks.scaling", directory=directory, env=env))
        warm = 25 * count
        produce_images(broker.address, photographs, warm)
        await_records(broker.address, PREDICTIONS, warm)
        time.sleep(6)  # until the group has settled
        images = IMAGES_PER_WORKER * count
        produce_images(broker.address, photographs, images)
        await_records(broker.address, PREDICTIONS, warm + images // 10)
        start = time.perf_counter()
        await_records(broker.address, PREDICTIONS, warm + images * 6 // 10)
        return images * 0.5 / (time.perf_counter() - start)


def _load(settings: WorkerSettings, directory: Path, card: ModelCard) -> Engine:  # noqa: ARG001
    return WaitingEngine()


if __name__ == "__main__":
    worker_main._load = _load  # noqa: SLF001
    worker_main.main()
