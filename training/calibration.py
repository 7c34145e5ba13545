"""Temperatures and thresholds, fitted on the validation splits of lab and field with the served logits."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax
from sklearn.metrics import f1_score

from schemas.card import Calibration
from schemas.labels import LABELS
from stream_workers.probabilities import of_problems
from training.dataset import OTHER_PROBLEM
from training.inference import Served

DIAGNOSED_ACCURACY: Final = 0.99
"""Of the verdict `diagnosed`, on the lab's val."""
LIKELY_ACCURACY: Final = 0.9
"""Of the verdicts `diagnosed` and `likely` together, on the field's val."""
SECOND_LOOKS: Final = (0.0, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Confidences below which a second look may be taken; of those that answer as well as the best, the lowest is."""
AS_WELL: Final = 0.0005
"""Of macro F1, the mean of lab and field."""
FALSE_REJECT: Final = {"lab": 0.005, "field": 0.04}
"""Share of val's tomato leaves that the gate may reject: somewhat less than is promised, as val is not test."""
FEWEST_ANSWERED: Final = 20
"""Below this many answers an accuracy says nothing."""

Floats = NDArray[np.floating]


class Looks(NamedTuple):
    """What a model answers after the first look, and what it would answer after two at everything."""

    once: Served
    twice: Served

    def below(self, calibration: Calibration) -> Served:
        """As served: looked at twice where the first look leaves the confidence below the card's `second_look`."""
        confidence = of_problems(self.once.outputs.logits, calibration).labels.max(axis=1)
        doubtful = (confidence < calibration.second_look)[:, None]
        logits = np.where(doubtful, self.twice.outputs.logits, self.once.outputs.logits)
        return Served(self.once.outputs._replace(logits=logits), self.once.labels, self.once.paths, [])


def fit(lab: Looks, field: Looks | None) -> Calibration:
    """Temperatures by maximum likelihood (Guo et al. 2017, arXiv:1706.04599), then gate, second look and thresholds.

    Lab and field weigh the same, however many images each has. Without a field the lab stands for both.
    """
    sets = [lab, field] if field else [lab]
    calibration = Calibration(
        temperature=round(_temperature([looks.once for looks in sets]), 4),
        confidence_threshold=0,
        gate_temperature=round(_gate_temperature([looks.once for looks in sets]), 4),
        gate_threshold=0,
    )
    calibration = calibration.model_copy(update={"gate_threshold": _gate_threshold(lab, field, calibration)})
    calibration = calibration.model_copy(update={"second_look": _second_look(sets, calibration)})
    diagnosed = _threshold(lab.below(calibration), calibration, DIAGNOSED_ACCURACY)
    likely = _threshold((field or lab).below(calibration), calibration, LIKELY_ACCURACY)
    update = {"confidence_threshold": diagnosed, "likely_threshold": min(likely, diagnosed)}
    return calibration.model_copy(update=update)


def _classes(served: Served) -> NDArray[np.int64]:
    """Positions of the true classes in the logits, where another problem comes after the ten labels."""
    return np.where(served.labels == OTHER_PROBLEM, len(LABELS), served.labels)


def _temperature(sets: list[Served]) -> float:
    chosen = [(one, np.flatnonzero(_judged(one))) for one in sets]

    def loss(log_temperature: float) -> float:
        losses = []
        for served, rows in chosen:
            scaled = log_softmax(served.outputs.logits[rows] / np.exp(log_temperature), axis=1)
            losses.append(-scaled[np.arange(len(rows)), _classes(served)[rows]].mean())
        return float(np.mean(losses))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def _judged(served: Served) -> NDArray[np.bool_]:
    """Which images show a class that the logits know."""
    return np.asarray(served.tomato & (_classes(served) < served.outputs.logits.shape[1]))


def _gate_temperature(sets: list[Served]) -> float:
    def loss(log_temperature: float) -> float:
        losses = []
        for served in sets:
            signs = np.where(served.tomato, 1.0, -1.0)
            losses.append(np.logaddexp(0, -signs * served.outputs.gate / np.exp(log_temperature)).mean())
        return float(np.mean(losses))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def _gate_threshold(lab: Looks, field: Looks | None, calibration: Calibration) -> float:
    thresholds = [0.5]
    for name, looks in (("lab", lab), ("field", field)):
        if looks:
            gate = expit(looks.once.outputs.gate[looks.once.tomato] / calibration.gate_temperature)
            thresholds.append(float(np.quantile(gate, FALSE_REJECT[name])))
    return float(np.floor(min(thresholds) * 1e4) / 1e4)


def _second_look(sets: list[Looks], calibration: Calibration) -> float:
    scores = []
    for confidence in SECOND_LOOKS:
        tried = calibration.model_copy(update={"second_look": confidence})
        scores.append(float(np.mean([_macro_f1(looks.below(tried)) for looks in sets])))
    return next(below for below, score in zip(SECOND_LOOKS, scores, strict=True) if score >= max(scores) - AS_WELL)


def _macro_f1(served: Served) -> float:
    truth, known = served.labels[served.known], served.outputs.logits[served.known, : len(LABELS)]
    return float(f1_score(truth, known.argmax(axis=1), labels=np.unique(truth), average="macro", zero_division=0))


def _threshold(served: Served, calibration: Calibration, accuracy: float) -> float:
    """The lowest confidence from which the answers to tomato leaves that pass the gate are right so often; 1 if none.

    An answer to a leaf with another problem is wrong.
    """
    gate = expit(served.outputs.gate / calibration.gate_temperature)
    rows = np.flatnonzero(served.tomato & (gate >= calibration.gate_threshold))
    labels = of_problems(served.outputs.logits[rows], calibration).labels
    confidence, correct = labels.max(axis=1), labels.argmax(axis=1) == served.labels[rows]
    order = np.argsort(-confidence)
    cumulative = correct[order].cumsum() / np.arange(1, len(order) + 1)
    enough = np.flatnonzero((cumulative >= accuracy) & (np.arange(len(order)) >= FEWEST_ANSWERED))
    return float(np.floor(float(confidence[order][enough[-1]]) * 1e4) / 1e4) if len(enough) else 1.0
