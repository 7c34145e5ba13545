import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from schemas.card import Calibration
from schemas.labels import LABELS
from stream_workers.engines import Outputs
from training.dataset import NEGATIVE, OTHER_PROBLEM
from training.inference import Served
from training.metrics import expected_calibration_error, metrics

OPEN = Calibration(temperature=1, confidence_threshold=0, gate_temperature=1, gate_threshold=0)


def served(logits: NDArray[np.float32], gate: list[float], labels: list[int]) -> Served:
    outputs = Outputs(logits, np.array(gate, np.float32), np.zeros((len(labels), 1, 1, 10), np.float32))
    return Served(outputs, np.array(labels), [str(i) for i in range(len(labels))], [], {"x.jpg": "broken"})


def sure(classes: list[int], certainty: float = 20) -> NDArray[np.float32]:
    return (np.eye(10)[classes] * certainty).astype(np.float32)


def test_the_documented_keys_are_there_and_no_others() -> None:
    figures = metrics(served(sure([0, 1, 2]), [9, 9, -9], [0, 1, NEGATIVE]), OPEN)
    keys = """images bad_files accuracy macro_f1 weighted_f1 per_class confusion ece coverage selective_accuracy
        coverage_likely likely_accuracy gatekeeper_auroc gatekeeper_false_reject gatekeeper_false_accept"""
    assert list(figures) == keys.split()
    assert (figures["images"], figures["bad_files"]) == (3, 1)


def test_accuracy_ignores_gate_and_threshold_and_coverage_uses_both() -> None:
    calibration = OPEN.model_copy(update={"gate_threshold": 0.5, "confidence_threshold": 0.9})
    logits = np.concatenate([sure([0, 1, 2]), sure([4, 4], certainty=0.5)])
    figures = metrics(served(logits, [9, -9, 9, 9, 9], [0, 1, 3, 4, 4]), calibration)
    assert figures["accuracy"] == pytest.approx(4 / 5)
    assert figures["coverage"] == pytest.approx(2 / 5), "one gated, two unsure"
    assert figures["selective_accuracy"] == pytest.approx(1 / 2)


def test_likely_answers_count_with_the_diagnosed_ones() -> None:
    calibration = OPEN.model_copy(update={"confidence_threshold": 0.9, "likely_threshold": 0.5})
    logits = np.concatenate([sure([0, 1]), sure([2, 3], certainty=3), sure([4], certainty=0.5)])
    figures = metrics(served(logits, [9] * 5, [0, 1, 2, 9, 4]), calibration)
    assert (figures["coverage"], figures["selective_accuracy"]) == (pytest.approx(2 / 5), 1)
    assert (figures["coverage_likely"], figures["likely_accuracy"]) == (pytest.approx(4 / 5), pytest.approx(3 / 4))


def test_other_problems_count_for_the_gate_and_are_to_be_diagnosed_as_none_of_the_ten() -> None:
    calibration = OPEN.model_copy(update={"confidence_threshold": 0.9, "gate_threshold": 0.5})
    logits = (np.eye(11)[[0, 10, 3, 4]] * 20).astype(np.float32)
    labels = [0, OTHER_PROBLEM, OTHER_PROBLEM, NEGATIVE]
    figures = metrics(served(logits, [9, 9, 9, -9], labels), calibration)
    assert figures["accuracy"] == 1
    assert figures["other_diagnosed"] == pytest.approx(1 / 2)
    assert (figures["gatekeeper_false_reject"], figures["gatekeeper_false_accept"]) == (0, 0)


def test_of_other_plants_alone_there_are_the_gatekeepers_figures() -> None:
    figures = metrics(
        served(sure([0, 1]), [9, -9], [NEGATIVE, NEGATIVE]), OPEN.model_copy(update={"gate_threshold": 0.5})
    )
    assert figures == {"images": 2, "bad_files": 1, "gatekeeper_false_accept": 0.5}


def test_gatekeeper_figures_need_other_pictures_and_are_right() -> None:
    calibration = OPEN.model_copy(update={"gate_threshold": 0.5})
    labels = [0, 0, 0, 0, NEGATIVE, NEGATIVE]
    figures = metrics(served(sure([0] * 6), [5, 5, 5, -1, -5, 1], labels), calibration)
    assert figures["gatekeeper_auroc"] == pytest.approx(7 / 8)
    assert figures["gatekeeper_false_reject"] == pytest.approx(1 / 4)
    assert figures["gatekeeper_false_accept"] == pytest.approx(1 / 2)
    assert "gatekeeper_auroc" not in metrics(served(sure([0]), [5], [0]), calibration)


def test_f1_agrees_with_scikit_learn_and_is_over_the_labels_that_occur() -> None:
    random = np.random.default_rng(0)
    truth, predicted = random.integers(0, 10, 300), random.integers(0, 10, 300)
    figures = metrics(served(sure(predicted.tolist()), [0] * 300, truth.tolist()), OPEN)
    assert figures["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert figures["weighted_f1"] == pytest.approx(f1_score(truth, predicted, average="weighted"))
    three = metrics(served(sure([1, 2, 3]), [0] * 3, [1, 2, 2]), OPEN)
    assert three["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)


def test_confusion_counts_truth_by_prediction() -> None:
    confusion = np.array(metrics(served(sure([1, 1, 5]), [0] * 3, [1, 5, 5]), OPEN)["confusion"])
    assert confusion.shape == (len(LABELS), len(LABELS))
    assert (confusion[1, 1], confusion[5, 1], confusion[5, 5], confusion.sum()) == (1, 1, 1, 3)


def test_ece_is_the_weighted_gap_of_each_bin() -> None:
    confidence, correct = np.array([0.95, 0.97, 0.41, 0.45]), np.array([True, False, True, False])
    assert expected_calibration_error(confidence, correct) == pytest.approx(
        (abs(0.95 + 0.97 - 1) + abs(0.41 + 0.45 - 1)) / 4
    )
    assert expected_calibration_error(np.ones(5), np.ones(5, bool)) == 0
