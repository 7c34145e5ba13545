"""Temperatures and thresholds, fitted on the validation split with the served logits."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import f1_score

from schemas.card import Calibration
from training.inference import Served

SELECTIVE_ACCURACY: Final = 0.99
SECOND_LOOKS: Final = (0.0, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Confidences below which a second look may be taken; of those that answer as well as the best, the lowest is."""
AS_WELL: Final = 0.0005
"""Of macro F1."""
FALSE_REJECT: Final = 0.005
"""Share of val's tomato leaves the gate may turn away: half of what is promised, as val is not test."""
FEWEST_ANSWERED: Final = 20
"""Below this many answers an accuracy says nothing."""

Floats = NDArray[np.floating]


def fit(first: Served, both: Served) -> Calibration:
    """From what is said after the first look, and what would be after two at everything.

    Temperatures by maximum likelihood (Guo et al. 2017, arXiv:1706.04599), then gate, second look and threshold.
    """
    tomato, labels = first.tomato, first.labels
    temperature = _temperature(first.outputs.logits[tomato], labels[tomato])
    gate_temperature = _gate_temperature(first.outputs.gate, tomato)
    gate = expit(first.outputs.gate / gate_temperature)
    gate_threshold = min(0.5, float(np.quantile(gate[tomato], FALSE_REJECT)))
    leaf = tomato & (gate >= gate_threshold)
    once, twice = (softmax(said.outputs.logits[leaf] / temperature, axis=1) for said in (first, both))
    second_look = _second_look(once, twice, labels[leaf])
    said = _looked(once, twice, second_look)
    correct = said.argmax(axis=1) == labels[leaf]
    return Calibration(
        temperature=round(temperature, 4),
        confidence_threshold=round(_confidence_threshold(said.max(axis=1), correct), 4),
        second_look=second_look,
        gate_temperature=round(gate_temperature, 4),
        gate_threshold=round(gate_threshold, 4),
    )


def _second_look(once: Floats, twice: Floats, labels: NDArray[np.int64]) -> float:
    scores = [
        f1_score(labels, _looked(once, twice, below).argmax(axis=1), average="macro", zero_division=0)
        for below in SECOND_LOOKS
    ]
    return next(below for below, score in zip(SECOND_LOOKS, scores, strict=True) if score >= max(scores) - AS_WELL)


def _looked(once: Floats, twice: Floats, below: float) -> Floats:
    """Probabilities [N, 10] where those of less confidence than this are looked at again."""
    return np.where(once.max(axis=1, keepdims=True) < below, twice, once)


def _temperature(logits: Floats, labels: NDArray[np.int64]) -> float:
    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def _gate_temperature(gate: Floats, tomato: NDArray[np.bool_]) -> float:
    signs = np.where(tomato, 1.0, -1.0)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0, -signs * gate / np.exp(log_temperature)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def _confidence_threshold(confidence: Floats, correct: NDArray[np.bool_]) -> float:
    """The lowest confidence above which the answers are right often enough; 1 where there is none."""
    order = np.argsort(-confidence)
    accuracy = correct[order].cumsum() / np.arange(1, len(order) + 1)
    enough = np.flatnonzero((accuracy >= SELECTIVE_ACCURACY) & (np.arange(len(order)) >= FEWEST_ANSWERED))
    return float(np.floor(confidence[order][enough[-1]] * 1e4) / 1e4) if len(enough) else 1.0
