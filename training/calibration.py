"""Temperatures and thresholds, fitted on the validation split with the served logits."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

from schemas.card import Calibration
from training.inference import Served

SELECTIVE_ACCURACY: Final = 0.99
SECOND_LOOK: Final = 0.9
"""Chosen on val (README.md): a higher one costs more and answers no better."""
FALSE_REJECT: Final = 0.005
"""Share of val's tomato leaves the gate may turn away: half of what is promised, as val is not test."""
FEWEST_ANSWERED: Final = 20
"""Below this many answers an accuracy says nothing."""

Floats = NDArray[np.floating]


def fit(val: Served) -> Calibration:
    """Of the first look: temperatures by maximum likelihood (Guo et al. 2017, arXiv:1706.04599), then the gate."""
    tomato = val.tomato
    gate_temperature = _gate_temperature(val.outputs.gate, tomato)
    gate = expit(val.outputs.gate / gate_temperature)
    return Calibration(
        temperature=round(_temperature(val.outputs.logits[tomato], val.labels[tomato]), 4),
        confidence_threshold=0,
        second_look=SECOND_LOOK,
        gate_temperature=round(gate_temperature, 4),
        gate_threshold=round(min(0.5, float(np.quantile(gate[tomato], FALSE_REJECT))), 4),
    )


def selective(val: Served, calibration: Calibration) -> Calibration:
    """With the confidence threshold, of what is said after the second look."""
    gate = expit(val.outputs.gate / calibration.gate_temperature)
    answered = val.tomato & (gate >= calibration.gate_threshold)
    probabilities = softmax(val.outputs.logits[answered] / calibration.temperature, axis=1)
    correct = probabilities.argmax(axis=1) == val.labels[answered]
    threshold = _confidence_threshold(probabilities.max(axis=1), correct)
    return calibration.model_copy(update={"confidence_threshold": round(threshold, 4)})


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
