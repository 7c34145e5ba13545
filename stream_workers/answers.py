"""From a model's raw outputs to the calibrated answer that an event carries."""

import numpy as np
import numpy.typing as npt

from schemas.card import Calibration, ModelCard
from schemas.labels import LABELS
from schemas.prediction import Answer, Verdict
from stream_workers.engines import Outputs
from stream_workers.probabilities import Floats, of_labels, of_leaf


def heatmaps(evidence: Floats, labels: npt.NDArray[np.intp]) -> npt.NDArray[np.uint8]:
    """Evidence [N, h, w, 10] for one label each [N] -> [N, h, w], 0 (or evidence against it) to 255 (the most)."""
    positive = np.maximum(evidence[np.arange(len(labels)), :, :, labels], 0)
    peaks = positive.max(axis=(1, 2), keepdims=True)
    return np.rint(positive * (255 / np.where(peaks > 0, peaks, 1))).astype(np.uint8)


def verdict(calibration: Calibration, confidence: float, gate: float) -> Verdict:
    """Is it a tomato leaf at all, and if so, are we sure enough of its label to say it."""
    if gate < calibration.gate_threshold:
        return "not_tomato_leaf"
    return "diagnosed" if confidence >= calibration.confidence_threshold else "uncertain"


def answers(card: ModelCard, engine: str, arms: list[str], outputs: Outputs, inference_ms: float) -> list[Answer]:
    """The answers of one batch, in its order; `arms` names the arm of each image."""
    calibration = card.calibration
    probabilities = of_labels(outputs.logits, calibration)
    best = probabilities.argmax(axis=1)
    shares = probabilities.astype(np.float64).round(6).tolist()
    gates = of_leaf(outputs.gate, calibration).astype(np.float64).round(6).tolist()
    maps = heatmaps(outputs.evidence, best)
    height, width = maps.shape[1:]
    made = []
    for row, arm in enumerate(arms):
        confidence = shares[row][best[row]]
        made.append(
            Answer.model_validate(
                {
                    "arm": arm,
                    "model": card.name,
                    "version": card.version,
                    "engine": engine,
                    "verdict": verdict(calibration, confidence, gates[row]),
                    "label": LABELS[best[row]],
                    "confidence": confidence,
                    "probabilities": shares[row],
                    "gate": gates[row],
                    "heatmap": {"width": width, "height": height, "values": maps[row].ravel().tolist()},
                    "batch": len(arms),
                    "inference_ms": round(inference_ms, 2),
                }
            )
        )
    return made
