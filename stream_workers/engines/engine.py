"""The interface of every engine."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

DEFAULT_CEILING = 16
"""Images per batch where the card names no better number for the engine."""


class Outputs(NamedTuple):
    """What a model says of N images, uncalibrated."""

    logits: Floats
    """[N, C], in the order of the card's labels: 11, or 10 up to version 5."""
    gate: Floats
    """[N], logit of showing a tomato leaf."""
    evidence: Floats
    """[N, h, w, C]; the mean over h and w is the logits (class activation map, Zhou et al. 2016, arXiv:1512.04150)."""


class Engine(Protocol):
    """One loaded model. `infer` is called by one thread at a time."""

    name: str
    ceiling: int
    """Largest batch worth computing at once."""

    @property
    def sizes(self) -> Sequence[int]:
        """Batch sizes that cost something the first time."""
        ...

    def infer(self, images: Images, larger: Sequence[Images] | None = None) -> Outputs:
        """Compute uint8 RGB [N, px, px, 3], 1 <= N <= ceiling; `larger`, N squares, show the same in more detail."""
        ...


def warm_up(engine: Engine, px: int) -> None:
    """Compute a batch of each size, so that no photograph pays for memory and kernels."""
    for size in engine.sizes:
        engine.infer(np.zeros((size, px, px, 3), np.uint8))
