"""A second look where the first one leaves doubt."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from schemas.card import Calibration
from stream_workers.engines.engine import Engine, Images, Outputs
from stream_workers.probabilities import of_leaf, of_problems

MIDDLE: Final = 0.85
"""Share of the side that the second look sees."""


class SecondLook:
    """An engine that computes doubtful photographs twice and says the mean of both: test-time augmentation, but only
    where it can change the answer.

    1. The engine computes the batch; its gate says what is a leaf.
    2. Leaves whose calibrated confidence is below the card's `second_look` are computed again: their middle, mirrored.
    3. Logits and evidence, which is mirrored back, become the mean of both looks, so that the mean of the evidence is
       still the logits.
    """  # noqa: D205

    def __init__(self, engine: Engine, calibration: Calibration) -> None:
        self._engine = engine
        self._calibration = calibration
        self.name = engine.name
        self.ceiling = engine.ceiling

    @property
    def sizes(self) -> Sequence[int]:
        """The engine's."""
        return self._engine.sizes

    def infer(self, images: Images) -> Outputs:
        """Compute uint8 RGB [N, px, px, 3]."""
        first = self._engine.infer(images)
        doubtful = self._doubtful(first)
        if not len(doubtful):
            return first
        second = self._engine.infer(mirrored_middles(images[doubtful]))
        logits, evidence = first.logits.copy(), first.evidence.copy()
        logits[doubtful] = (logits[doubtful] + second.logits) / 2
        evidence[doubtful] = (evidence[doubtful] + second.evidence[:, :, ::-1]) / 2
        return Outputs(logits, first.gate, evidence)

    def _doubtful(self, outputs: Outputs) -> npt.NDArray[np.intp]:
        """Positions of the leaves whose label, the largest softmax, is not sure enough."""
        calibration = self._calibration
        leaf = of_leaf(outputs.gate, calibration) >= calibration.gate_threshold
        confidence = of_problems(outputs.logits, calibration).labels.max(axis=1)
        return np.flatnonzero(leaf & (confidence < calibration.second_look))


def mirrored_middles(images: Images) -> Images:
    """The middle of each picture, enlarged to its size and mirrored; [N, px, px, 3] -> [N, px, px, 3]."""
    px = images.shape[1]
    margin = round(px * (1 - MIDDLE) / 2)
    box = (margin, margin, px - margin, px - margin)
    resized = [Image.fromarray(image).resize((px, px), Image.Resampling.BILINEAR, box=box) for image in images]
    return np.ascontiguousarray(np.stack([np.asarray(image) for image in resized])[:, :, ::-1])
