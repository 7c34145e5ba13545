"""A model whose answer a test can predict, computed by an engine that needs no weights, and a worker that uses it.

`python -m workers SECONDS BEHAVIOUR` runs a worker like `python -m stream_workers`, `SECONDS` a batch.
"""

import hashlib
import io
import os
import signal
import sys
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from faust.types import EventT
from PIL import Image

from schemas import logs
from schemas.card import Calibration, ModelCard, Preprocessing
from schemas.image import ImageEvent
from schemas.labels import LABELS
from schemas.topics import IMAGES
from stream_workers.engines import Outputs
from stream_workers.engines.engine import Images
from stream_workers.models import Loader
from stream_workers.photograph import Photograph, Position
from stream_workers.settings import WorkerSettings
from stream_workers.topology import images_topic_id
from stream_workers.worker import Worker

PX = 32
KILLER = 255
"""A picture as bright as this kills the process that computes it."""
SLOW = "99"
"""This version takes a minute to load."""


class FlatEngine:
    """Says of a one-coloured picture: the label whose number is its brightness / 20."""

    name = "openvino"

    def __init__(self, ceiling: int = 8, seconds: float = 0) -> None:
        self.ceiling = ceiling
        self.sizes = (1, ceiling)
        self.seconds = seconds
        self.batches: list[int] = []

    def infer(self, images: Images, larger: Any = None) -> Outputs:
        assert 1 <= len(images) <= self.ceiling
        assert images.dtype == np.uint8
        assert images.shape[1:] == (PX, PX, 3)
        self.batches.append(len(images))
        time.sleep(self.seconds)
        brightness = images.mean(axis=(1, 2, 3), dtype=np.float64)
        evidence = np.zeros((len(images), 2, 2, len(LABELS)), np.float32)
        evidence[..., :] = -np.abs(brightness[:, None, None, None] / 20 - np.arange(len(LABELS))) * 10
        return Outputs(evidence.mean(axis=(1, 2)), np.full(len(images), 3, np.float32), evidence)


def write_model(models: Path, name: str = "flat", version: str = "1", **changes: object) -> ModelCard:
    """A model's directory with a card and one file."""
    directory = models / name / version
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "weights.npz").write_bytes(version.encode())
    card = ModelCard.model_validate(
        {
            "name": name,
            "version": version,
            "architecture": "flat",
            "preprocessing": Preprocessing(px=PX),
            "files": {"weights.npz": hashlib.sha256(version.encode()).hexdigest()},
            "batch_ceiling": {"openvino": 8},
            "calibration": Calibration(temperature=1, confidence_threshold=0.5, gate_temperature=1, gate_threshold=0.5),
            "metrics": {},
            "data_fingerprint": "none",
            "code_fingerprint": "none",
            "recipe": {},
            "trained_at": datetime.now(UTC),
        }
        | changes
    )
    (directory / "card.json").write_text(card.model_dump_json())
    return card


class KillableEngine(FlatEngine):
    """Dies of a white picture, as an engine's bug in native code would let it."""

    def infer(self, images: Images, larger: Any = None) -> Outputs:
        if len(images) and (images.reshape(len(images), -1).min(axis=1) >= KILLER - 5).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().infer(images, larger)


def jpeg(brightness: int = 100, size: tuple[int, int] = (64, 64)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (brightness,) * 3).save(out, "JPEG", quality=95)
    return out.getvalue()


def image_event(number: int = 0, **changes: object) -> ImageEvent:
    fields = {
        "id": f"image-{number:016d}",
        "jpeg": jpeg(),
        "accepted_at": datetime(2026, 11, 23, 12, tzinfo=UTC),
        "key": f"image-{number:016d}",
    }
    return ImageEvent.model_validate(fields | changes)


def photograph(number: int = 0, timestamp_ms: int = 1_000_000, **changes: object) -> Photograph:
    record = image_event(number, **changes).envelope()
    return Photograph(
        position=Position(number % 4, number),
        timestamp_ms=timestamp_ms,
        key=record.key.encode(),
        value=record.value,
        headers=record.headers(),
    )


class BrokenWorker(Worker):
    """Its publishing dies at the first batch."""

    async def _send(self, *_: object) -> Awaitable[object]:
        raise ZeroDivisionError


class UnreadableWorker(Worker):
    """Reading its third record raises."""

    read = 0

    def _accept(self, event: EventT) -> Photograph:
        self.read += 1
        if self.read == 3:
            raise ZeroDivisionError
        return super()._accept(event)


class UninformedWorker(Worker):
    """Leads its group, at first, while its metadata lack the topic: as happens when a broker has just started."""

    def __init__(self, settings: WorkerSettings, topic_id: str, loader: Loader) -> None:
        super().__init__(settings, topic_id, loader)
        assignor = self._app.assignor
        assign = assignor.assign

        def uninformed(cluster, members):
            assignor.assign = assign
            cluster._partitions.pop(IMAGES.name)
            return assign(cluster, members)

        assignor.assign = uninformed


BEHAVIOURS = {"": Worker, "broken": BrokenWorker, "unreadable": UnreadableWorker, "uninformed": UninformedWorker}


def main() -> None:
    seconds, behaviour = float(sys.argv[1]), sys.argv[2]
    settings = WorkerSettings()
    logs.configure("INFO")
    topic_id = images_topic_id(settings.kafka, embedded=settings.mode == "embedded")

    def load(_directory: Path, card: ModelCard) -> KillableEngine:
        if card.version == SLOW:
            print("loading", flush=True)
            time.sleep(60)
        return KillableEngine(seconds=seconds)

    BEHAVIOURS[behaviour](settings, topic_id, load).execute()


if __name__ == "__main__":
    main()
