"""Which photographs a batch is made of, and the thread that makes batches ahead."""

import queue
import threading
from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LABELS
from training.augmentation import Augmenter, Strength, degrade
from training.dataset import NEGATIVE
from training.prepared import Prepared

NEGATIVE_SHARE = 0.25
"""Share of a batch that shows no tomato leaf."""
EMPTY_SHARE = 0.2
"""Share of those that is a bare background, so that a pasted leaf's surroundings don't mean `tomato`."""


class Batch(NamedTuple):
    """`labels` is 0 where `tomato` is 0; the class loss skips those."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    tomato: NDArray[np.float32]


class Sampler:
    """Draws classes with probability ~ count ** balance, and each class's photographs in shuffled rounds."""

    def __init__(self, data: Prepared, seed: int, balance: float = 0.5) -> None:
        self._random = np.random.default_rng(seed)
        self._augmenter = Augmenter(data)
        self._members = {label: np.flatnonzero(data.labels == label) for label in range(NEGATIVE, len(LABELS))}
        self._rounds: dict[int, list[int]] = {label: [] for label in self._members}
        self._empty_share = EMPTY_SHARE if len(self._members[NEGATIVE]) else 1.0
        weights = np.array([len(self._members[label]) ** balance for label in range(len(LABELS))])
        self._shares = weights / weights.sum()

    def batch(self, size: int, px: int, strength: Strength) -> Batch:
        """One augmented batch."""
        tomato = (self._random.random(size) >= NEGATIVE_SHARE).astype(np.float32)
        labels = self._random.choice(len(LABELS), size, p=self._shares).astype(np.int32) * tomato.astype(np.int32)
        images = np.empty((size, px, px, 3), np.uint8)
        for row in range(size):
            if not tomato[row] and self._random.random() < self._empty_share:
                images[row] = degrade(self._augmenter.background(px, self._random), strength.degrade, self._random)
                continue
            index = self._next(int(labels[row]) if tomato[row] else NEGATIVE)
            images[row] = self._augmenter.sample(index, px, strength, self._random)
        return Batch(images, labels, tomato)

    def _next(self, label: int) -> int:
        if not self._rounds[label]:
            self._rounds[label] = list(self._random.permutation(self._members[label]))
        return int(self._rounds[label].pop())


def ahead(make: Callable[[], Batch], depth: int = 3) -> Generator[Batch]:
    """Yield batches that a thread makes ahead of their use; closing the generator stops the thread."""
    made: queue.Queue[Batch | BaseException] = queue.Queue(depth)
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            try:
                item: Batch | BaseException = make()
            except BaseException as error:  # noqa: BLE001  (it is raised where the batch is taken)
                item = error
            while not stopped.is_set():
                try:
                    made.put(item, timeout=0.5)
                    break
                except queue.Full:
                    continue

    worker = threading.Thread(target=work, name="batches", daemon=True)
    worker.start()
    try:
        while True:
            item = made.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        worker.join()
