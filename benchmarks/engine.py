"""The bare engines, fed with decoded photographs from memory: `python -m benchmarks.engine` prints one JSON object.

They are the photographs that are uploaded elsewhere, since a doubtful one is computed twice.
"""

import itertools
import json
import os
import statistics
import time
from typing import Final

import numpy as np

from benchmarks import photographs
from benchmarks.models import newest_models
from schemas.card import ModelCard
from stream_workers.decoding import decode
from stream_workers.engines import Engine, load_engine
from stream_workers.engines.engine import Images, warm_up

SECONDS: Final = 4.0
SINGLES: Final = 40


def main() -> None:
    """Images a second of both models in turn (50/50), and the time of one image alone, on all cores."""
    threads = os.cpu_count() or 1
    shots = photographs.small()
    rates, singles, sizes = [], [], []
    for directory in newest_models():
        card = ModelCard.load(directory)
        engine = load_engine("openvino", directory, card, threads)
        px = card.preprocessing.px
        warm_up(engine, px)
        images = np.stack([decode(jpeg, px).pixels for jpeg in shots])
        rates.append(_rate(engine, images))
        singles.append(_single_ms(engine, images))
        sizes.append(px)
    mixed = len(rates) / sum(1 / rate for rate in rates)
    print(
        json.dumps({"images_per_s": mixed, "single_ms": statistics.mean(singles), "px": max(sizes), "threads": threads})
    )


def _rate(engine: Engine, images: Images) -> float:
    starts = range(0, len(images), engine.ceiling)
    batches = [np.take(images, range(start, start + engine.ceiling), axis=0, mode="wrap") for start in starts]
    rounds, done, begun = itertools.cycle(batches), 0, time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        done += len(engine.infer(next(rounds)).gate)
    return done / (time.perf_counter() - begun)


def _single_ms(engine: Engine, images: Images) -> float:
    times = []
    for number in range(SINGLES):
        image = images[number % len(images)][None]
        start = time.perf_counter()
        engine.infer(image)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
