"""The bare engines, fed with decoded arrays from memory: `python -m benchmarks.engine` prints one JSON object."""

import json
import os
import statistics
import time
from pathlib import Path
from typing import Final

import numpy as np

from schemas.card import ModelCard
from stream_workers.engines import Engine, load_engine
from stream_workers.engines.engine import warm_up

SECONDS: Final = 4.0
SINGLES: Final = 40


def main() -> None:
    """Images a second of both models in turn (50/50), and the time of one image alone, on all cores."""
    threads = os.cpu_count() or 1
    rates, singles, sizes = [], [], []
    for directory in newest_models():
        card = ModelCard.load(directory)
        engine = load_engine("openvino", directory, card, threads)
        px = card.preprocessing.px
        warm_up(engine, px)
        rates.append(_rate(engine, px))
        singles.append(_single_ms(engine, px))
        sizes.append(px)
    mixed = len(rates) / sum(1 / rate for rate in rates)
    print(
        json.dumps({"images_per_s": mixed, "single_ms": statistics.mean(singles), "px": max(sizes), "threads": threads})
    )


def newest_models() -> list[Path]:
    """One directory a model name, the newest version."""
    names = sorted({path.parent.parent for path in Path("models").glob("*/*/card.json")})
    return [max((path.parent for path in name.glob("*/card.json")), key=lambda path: path.name) for name in names]


def _rate(engine: Engine, px: int) -> float:
    images = np.random.default_rng(0).integers(0, 256, (engine.ceiling, px, px, 3), np.uint8)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        engine.infer(images)
        done += len(images)
    return done / (time.perf_counter() - start)


def _single_ms(engine: Engine, px: int) -> float:
    image = np.random.default_rng(0).integers(0, 256, (1, px, px, 3), np.uint8)
    times = []
    for _ in range(SINGLES):
        start = time.perf_counter()
        engine.infer(image)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
