"""What the training photographs look like to the model: the baselines that live traffic is compared with."""

import numpy as np
from numpy.typing import NDArray

from schemas.card import Calibration, Histogram
from schemas.labels import LABELS
from stream_workers.probabilities import of_problems
from training.inference import Served

BINS = 10


def baselines(served: Served, calibration: Calibration) -> tuple[dict[str, Histogram], dict[str, float]]:
    """Histograms of brightness, contrast, channel means and confidence, and the share of each predicted label.

    Tomato photographs only. Bins hold a tenth of the photographs each, as the population stability index wants.
    """
    tomato = served.tomato
    probabilities = of_problems(served.outputs.logits[tomato], calibration).labels
    kept = [features for features, is_tomato in zip(served.features, tomato, strict=True) if is_tomato]
    histograms = {
        name: histogram(np.array([getattr(features, name) for features in kept]), 255.0)
        for name in ("brightness", "contrast", "red", "green", "blue")
    }
    histograms["confidence"] = histogram(probabilities.max(axis=1), 1.0)
    shares = np.bincount(probabilities.argmax(axis=1), minlength=len(LABELS)) / len(kept)
    return histograms, {label: round(float(share), 5) for label, share in zip(LABELS, shares, strict=True)}


def histogram(values: NDArray[np.floating], largest: float) -> Histogram:
    """Deciles as inner edges, 0 and `largest` as the outer ones; edges that coincide are merged."""
    inner = np.unique(np.round(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]), 4))
    inner = inner[(inner > 0) & (inner < largest)]
    edges = np.concatenate([[0.0], inner, [largest]])
    counts, _ = np.histogram(values, edges)
    return Histogram(edges=edges.tolist(), shares=(counts / counts.sum()).tolist())
