import numpy as np
import pytest
from workers import write_model

from schemas.card import Calibration
from schemas.labels import LABELS
from stream_workers.answers import answers, heatmaps
from stream_workers.engines import Outputs


def outputs(best: int = 3, gate: float = 2.0, classes: int = 10) -> Outputs:
    logits = np.zeros((1, classes), np.float32)
    logits[0, best] = 4
    evidence = np.zeros((1, 2, 3, classes), np.float32)
    evidence[0, :, :, best] = [[-5, 0, 1], [2, 3, 4]]
    return Outputs(logits, np.array([gate], np.float32), evidence)


def card(tmp_path, **calibration: float):
    fields = {"temperature": 2, "confidence_threshold": 0.4, "gate_temperature": 2, "gate_threshold": 0.5}
    return write_model(tmp_path, calibration=Calibration(**(fields | calibration)))


def test_probabilities_are_calibrated(tmp_path) -> None:
    (answer,) = answers(card(tmp_path), "openvino", ["a"], outputs(), 12.345)
    expected = np.exp(2) / (np.exp(2) + 9)
    assert answer.label == LABELS[3]
    assert answer.confidence == pytest.approx(expected, abs=1e-5)
    assert answer.probabilities[3] == answer.confidence
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-5)
    assert answer.gate == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-5)
    assert (answer.arm, answer.model, answer.version, answer.batch) == ("a", "flat", "1", 1)
    assert answer.inference_ms in {12.35, 12.34}


@pytest.mark.parametrize(
    ("calibration", "gate", "expected"),
    [
        ({}, 2.0, "diagnosed"),
        ({"confidence_threshold": 0.9}, 2.0, "uncertain"),
        ({"confidence_threshold": 0.9, "likely_threshold": 0.4}, 2.0, "likely"),
        ({}, -1.0, "not_tomato_leaf"),
        ({"confidence_threshold": 0.9}, -1.0, "not_tomato_leaf"),
    ],
)
def test_verdict(tmp_path, calibration, gate, expected) -> None:
    (answer,) = answers(card(tmp_path, **calibration), "openvino", ["a"], outputs(gate=gate), 1)
    assert answer.verdict == expected


@pytest.mark.parametrize(("best", "expected"), [(10, "other_tomato_problem"), (3, "diagnosed")])
def test_a_model_that_knows_other_problems_says_so(tmp_path, best, expected) -> None:
    calibration = {"temperature": 1, "confidence_threshold": 0.6}
    (answer,) = answers(card(tmp_path, **calibration), "openvino", ["a"], outputs(best, classes=11), 1)
    assert answer.verdict == expected
    assert len(answer.probabilities) == 10
    assert sum(answer.probabilities) + answer.other == pytest.approx(1, abs=1e-5)
    assert (answer.other > 0.5) == (best == 10)
    assert answer.label in LABELS


def test_heatmap_is_the_answered_labels_evidence(tmp_path) -> None:
    (answer,) = answers(card(tmp_path), "openvino", ["a"], outputs(), 1)
    assert answer.heatmap is not None
    assert (answer.heatmap.width, answer.heatmap.height) == (3, 2)
    assert answer.heatmap.values == [0, 0, 64, 128, 191, 255]


def test_heatmap_without_evidence_is_dark() -> None:
    assert not heatmaps(np.full((1, 2, 2, 10), -1, np.float32), np.array([3])).any()
