"""The figures of `leaf evaluate`."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from schemas.card import Calibration, ClassMetrics
from schemas.labels import LABELS, NOT_TOMATO_LEAF
from stream_workers.engines import Outputs
from stream_workers.probabilities import of_leaf, of_problems
from stream_workers.verdicts import verdict
from training.dataset import OTHER_PROBLEM
from training.inference import Served

ECE_BINS = 15


def metrics(served: Served, calibration: Calibration) -> dict[str, object]:
    """Compute every figure that there are images for; accuracy, F1 and ECE whatever the verdict.

    Macro F1 is the mean over the labels that occur. `coverage` is the share of the images of the ten labels with the
    verdict `diagnosed`, `selective_accuracy` the accuracy on them (0 where there are none); `coverage_likely` and
    `likely_accuracy` are the same for `diagnosed` and `likely` together. `other_diagnosed` is the share of tomato
    leaves with another problem that are `diagnosed` all the same. The gatekeeper's figures are of all tomato leaves
    against the rest.
    """
    verdicts = _verdicts(served.outputs, calibration)
    figures: dict[str, object] = {"images": len(served.labels), "bad_files": len(served.bad)}
    if served.known.any():
        figures |= _label_figures(served, calibration, verdicts)
    tomato, rejected = served.tomato, verdicts == NOT_TOMATO_LEAF
    if tomato.any() and not tomato.all():
        gate = of_leaf(served.outputs.gate, calibration)
        figures["gatekeeper_auroc"] = float(roc_auc_score(tomato, gate))
    if tomato.any():
        figures["gatekeeper_false_reject"] = float(rejected[tomato].mean())
    if not tomato.all():
        figures["gatekeeper_false_accept"] = float(1 - rejected[~tomato].mean())
    other = served.labels == OTHER_PROBLEM
    if other.any():
        figures["other_diagnosed"] = float((verdicts[other] == "diagnosed").mean())
    return figures


def _label_figures(served: Served, calibration: Calibration, verdicts: NDArray[np.str_]) -> dict[str, object]:
    known = served.known
    truth = served.labels[known]
    probabilities = of_problems(served.outputs.logits[known], calibration).labels
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = predicted == truth
    diagnosed = verdicts[known] == "diagnosed"
    answered = diagnosed | (verdicts[known] == "likely")
    return {
        "accuracy": float(correct.mean()),
        **_f1(truth, predicted),
        "confusion": confusion_matrix(truth, predicted, labels=range(len(LABELS))).tolist(),
        "ece": expected_calibration_error(confidence, correct),
        "coverage": float(diagnosed.mean()),
        "selective_accuracy": float(correct[diagnosed].mean()) if diagnosed.any() else 0.0,
        "coverage_likely": float(answered.mean()),
        "likely_accuracy": float(correct[answered].mean()) if answered.any() else 0.0,
    }


def _verdicts(outputs: Outputs, calibration: Calibration) -> NDArray[np.str_]:
    labels, other = of_problems(outputs.logits, calibration)
    gate = of_leaf(outputs.gate, calibration)
    rows = zip(labels.max(axis=1), other, gate, strict=True)
    return np.array([verdict(calibration, *map(float, row)) for row in rows])


def expected_calibration_error(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> float:
    """Top-label ECE over 15 equal-width bins (Guo et al. 2017, arXiv:1706.04599)."""
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [abs(float((confidence[bins == b] - correct[bins == b]).sum())) for b in range(ECE_BINS)]
    return sum(gaps) / len(confidence)


def _f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, object]:
    columns = precision_recall_fscore_support(truth, predicted, labels=range(len(LABELS)), zero_division=0.0)
    precision, recall, f1, support = (np.asarray(column, float) for column in columns)
    return {
        "macro_f1": float(f1[support > 0].mean()),
        "weighted_f1": float((f1 * support).sum() / support.sum()),
        "per_class": {
            label: ClassMetrics(
                precision=float(precision[i]), recall=float(recall[i]), f1=float(f1[i]), support=int(support[i])
            ).model_dump()
            for i, label in enumerate(LABELS)
        },
    }
