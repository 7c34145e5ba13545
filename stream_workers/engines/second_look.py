"""A closer look where the first one leaves doubt."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from schemas.card import Calibration
from schemas.labels import LABELS
from stream_workers.engines.engine import Engine, Floats, Images, Outputs
from stream_workers.probabilities import of_leaf, of_problems

CLOSER: Final = 0.75
"""Share of the side that the second look shows."""

Boxes = npt.NDArray[np.float64]
"""[N, 4]: left, top, right and bottom, as shares of the side."""


class SecondLook:
    """An engine that computes doubtful images again, closer, and answers with the mean of both looks.

    This is test-time augmentation, but only where it can change the answer.

    1. The engine computes the batch; its gate says what is a leaf.
    2. Leaves whose calibrated confidence is below the card's `second_look` are computed again: the part around the
       evidence for the most probable label, mirrored, and cut from a larger square, where there is one.
    3. The logits become the mean of both looks. The evidence of the second one is put where its part was, so that the
       mean of the evidence is still the logits.
    """

    def __init__(self, engine: Engine, calibration: Calibration) -> None:
        self._engine = engine
        self._calibration = calibration
        self.name = engine.name
        self.ceiling = engine.ceiling

    @property
    def sizes(self) -> Sequence[int]:
        """The engine's."""
        return self._engine.sizes

    def infer(self, images: Images, larger: Sequence[Images] | None = None) -> Outputs:
        """Compute uint8 RGB [N, px, px, 3]; `larger`, N squares of at least px pixels a side, show the same."""
        first = self._engine.infer(images)
        doubtful = self._doubtful(first)
        if not len(doubtful):
            return first
        doubted = Outputs(*(array[doubtful] for array in first))
        squares = [(images if larger is None else larger)[row] for row in doubtful]
        boxes = evidence_boxes(doubted)
        second = self._engine.infer(mirrored_views(squares, boxes, images.shape[1]))
        evidence = put_back(second.evidence[:, :, ::-1], boxes)
        first.logits[doubtful] = (doubted.logits + second.logits) / 2
        first.evidence[doubtful] = (doubted.evidence + evidence) / 2
        return first

    def _doubtful(self, outputs: Outputs) -> npt.NDArray[np.intp]:
        """Positions of the leaves whose label, the largest softmax, is not sure enough."""
        calibration = self._calibration
        leaf = of_leaf(outputs.gate, calibration) >= calibration.gate_threshold
        confidence = of_problems(outputs.logits, calibration).labels.max(axis=1)
        return np.flatnonzero(leaf & (confidence < calibration.second_look))


def evidence_boxes(outputs: Outputs) -> Boxes:
    """The part of each image around the centre of the evidence for its most probable label, weighted by its square."""
    best = outputs.logits[:, : len(LABELS)].argmax(axis=1)
    weights = np.maximum(outputs.evidence[np.arange(len(best)), :, :, best], 0).astype(np.float64) ** 2 + 1e-9
    total = weights.sum(axis=(1, 2))
    centres = [
        (weights.sum(axis=axis) @ ((np.arange(weights.shape[3 - axis]) + 0.5) / weights.shape[3 - axis])) / total
        for axis in (1, 2)
    ]
    low = np.clip(np.stack(centres, axis=1) - CLOSER / 2, 0, 1 - CLOSER)
    return np.concatenate([low, low + CLOSER], axis=1)


def mirrored_views(squares: Sequence[Images], boxes: Boxes, px: int) -> Images:
    """A part of each square, resized to `px` pixels a side and mirrored; [N, px, px, 3]."""
    views = [
        Image.fromarray(square).resize((px, px), Image.Resampling.BILINEAR, box=tuple(box * len(square)))
        for square, box in zip(squares, boxes, strict=True)
    ]
    return np.ascontiguousarray(np.stack([np.asarray(view) for view in views])[:, :, ::-1])


def put_back(evidence: Floats, boxes: Boxes) -> Floats:
    """Evidence [N, h, w, C] of parts of images, where these parts are in the whole; the means over h and w stay."""
    height, width = evidence.shape[1:3]
    rows = _shares(boxes[:, 1], boxes[:, 3], height)
    columns = _shares(boxes[:, 0], boxes[:, 2], width)
    return np.asarray(np.einsum("nyi,nxj,nijc->nyxc", rows, columns, evidence, optimize=True), np.float32)


def _shares(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], cells: int) -> npt.NDArray[np.float64]:
    """[N, whole, part]: which share of each of a part's cells lies in each of the whole's; sums to 1 over the whole."""
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, cells + 1)
    starts, ends = np.linspace(0, 1, cells + 1)[:-1], np.linspace(0, 1, cells + 1)[1:]
    overlap = np.minimum(ends[:, None], edges[:, None, 1:]) - np.maximum(starts[:, None], edges[:, None, :-1])
    return np.asarray(np.maximum(overlap, 0) / ((high - low) / cells)[:, None, None])
