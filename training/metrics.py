"""The figures of `leaf evaluate`."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from schemas.card import Calibration, ClassMetrics
from schemas.errors import LeafError
from schemas.labels import LABELS
from stream_workers.probabilities import of_labels, of_leaf
from training.inference import Served

ECE_BINS = 15


def metrics(served: Served, calibration: Calibration) -> dict[str, object]:
    """Compute every figure; accuracy, F1 and ECE over the tomato photographs, whatever gate and threshold say.

    Macro F1 is the mean over the labels that occur. `coverage` is the share of tomato photographs that pass both gate
    and confidence threshold, `selective_accuracy` the accuracy on those (0 where there are none). The gatekeeper's
    figures need both kinds of photographs. Raises LeafError without a single tomato photograph.
    """
    tomato = served.tomato
    if not tomato.any():
        msg = "none of the photographs is labelled as a tomato leaf"
        raise LeafError(msg, f"The labels are {', '.join(LABELS)}.")
    truth = served.labels[tomato]
    probabilities = of_labels(served.outputs.logits[tomato], calibration)
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = predicted == truth
    gate = of_leaf(served.outputs.gate, calibration)
    passed = gate >= calibration.gate_threshold
    answered = passed[tomato] & (confidence >= calibration.confidence_threshold)
    figures: dict[str, object] = {
        "images": len(served.labels),
        "bad_files": len(served.bad),
        "accuracy": float(correct.mean()),
        **_f1(truth, predicted),
        "confusion": confusion_matrix(truth, predicted, labels=range(len(LABELS))).tolist(),
        "ece": expected_calibration_error(confidence, correct),
        "coverage": float(answered.mean()),
        "selective_accuracy": float(correct[answered].mean()) if answered.any() else 0.0,
    }
    if not tomato.all():
        figures |= {
            "gatekeeper_auroc": float(roc_auc_score(tomato, gate)),
            "gatekeeper_false_reject": float((~passed[tomato]).mean()),
            "gatekeeper_false_accept": float(passed[~tomato].mean()),
        }
    return figures


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
