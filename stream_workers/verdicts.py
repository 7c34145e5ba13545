"""What is said of an image, from its calibrated probabilities."""

from typing import Final

from schemas.card import Calibration
from schemas.labels import NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM
from schemas.prediction import Verdict

CERTAIN_OTHER: Final = 0.5
"""From this probability on a leaf is said to have a problem that is none of the ten."""


def verdict(calibration: Calibration, confidence: float, other: float, gate: float) -> Verdict:
    """The verdict, in this order.

    1. `not_tomato_leaf` where the gate's probability is below its threshold.
    2. `other_tomato_problem` where that is more probable than all labels together.
    3. `diagnosed`, `likely` or `uncertain` by the confidence: the probability of the most probable label.
    """
    if gate < calibration.gate_threshold:
        return NOT_TOMATO_LEAF
    if other >= CERTAIN_OTHER:
        return OTHER_TOMATO_PROBLEM
    if confidence >= calibration.confidence_threshold:
        return "diagnosed"
    return "likely" if confidence >= calibration.likely_threshold else "uncertain"
