"""Calibrated probabilities, from a model's outputs."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.card import Calibration
from schemas.labels import LABELS

Floats = npt.NDArray[np.float32]


class Probabilities(NamedTuple):
    """Of what N tomato leaves have; they sum to 1."""

    labels: Floats
    """[N, 10], in the order of `schemas.labels.LABELS`."""
    other: Floats
    """[N], of a problem that is none of the ten; 0 from models that do not know it."""


def of_problems(logits: Floats, calibration: Calibration) -> Probabilities:
    """Logits [N, 10 or 11] -> the softmax of each row."""
    scaled = logits / np.float32(calibration.temperature)
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares = np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)
    return Probabilities(shares[:, : len(LABELS)], shares[:, len(LABELS) :].sum(axis=1))


def of_leaf(gate: Floats, calibration: Calibration) -> Floats:
    """[N] -> of showing a tomato leaf: the sigmoid, without overflow."""
    return np.asarray((1 + np.tanh(gate / np.float32(2 * calibration.gate_temperature))) / 2, np.float32)
