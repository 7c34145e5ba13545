"""Calibrated probabilities, from what a model says."""

import numpy as np
import numpy.typing as npt

from schemas.card import Calibration

Floats = npt.NDArray[np.float32]


def of_labels(logits: Floats, calibration: Calibration) -> Floats:
    """[N, 10] -> the softmax of each row."""
    scaled = logits / np.float32(calibration.temperature)
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)


def of_leaf(gate: Floats, calibration: Calibration) -> Floats:
    """[N] -> of showing a tomato leaf: the sigmoid, without overflow."""
    return np.asarray((1 + np.tanh(gate / np.float32(2 * calibration.gate_temperature))) / 2, np.float32)
