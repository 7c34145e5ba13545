import numpy as np
import pytest

from schemas.card import Calibration
from schemas.prediction import Features
from stream_workers.engines import Outputs
from training.dataset import NEGATIVE
from training.drift import baselines, histogram
from training.inference import Served

OPEN = Calibration(temperature=1, confidence_threshold=0, gate_temperature=1, gate_threshold=0)


def test_each_bin_holds_a_tenth() -> None:
    made = histogram(np.random.default_rng(0).normal(120, 20, 5000), 255)
    assert (made.edges[0], made.edges[-1]) == (0, 255)
    assert made.shares == pytest.approx([0.1] * 10, abs=0.005)


def test_equal_values_give_fewer_bins_and_still_sum_to_one() -> None:
    made = histogram(np.array([7.0] * 90 + [9.0] * 10), 255)
    assert len(made.shares) == len(made.edges) - 1
    assert sum(made.shares) == pytest.approx(1)


def test_only_tomato_leaves_count() -> None:
    logits = np.eye(10, dtype=np.float32)[[0, 0, 4]] * 10
    features = [Features(brightness=b, contrast=1, red=1, green=1, blue=1) for b in (10, 20, 250)]
    outputs = Outputs(logits, np.zeros(3, np.float32), np.zeros((3, 1, 1, 10), np.float32))
    histograms, shares = baselines(Served(outputs, np.array([0, 1, NEGATIVE]), ["", "", ""], features), OPEN)
    assert shares["bacterial_spot"] == 1
    assert sum(shares.values()) == pytest.approx(1)
    assert max(edge for edge in histograms["brightness"].edges if edge < 255) <= 20
    assert set(histograms) == {"brightness", "contrast", "red", "green", "blue", "confidence"}
