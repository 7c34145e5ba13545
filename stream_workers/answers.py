"""From a model's raw outputs to the calibrated answer that an event carries."""

import numpy as np
import numpy.typing as npt

from schemas.card import ModelCard
from schemas.labels import LABELS
from schemas.prediction import Answer
from stream_workers.engines import Outputs
from stream_workers.probabilities import Floats, of_leaf, of_problems
from stream_workers.verdicts import verdict


def heatmaps(evidence: Floats, labels: npt.NDArray[np.intp]) -> npt.NDArray[np.uint8]:
    """Evidence [N, h, w, C] for one label each [N] -> [N, h, w], 0 (or evidence against it) to 255 (the most)."""
    positive = np.maximum(evidence[np.arange(len(labels)), :, :, labels], 0)
    peaks = positive.max(axis=(1, 2), keepdims=True)
    return np.rint(positive * (255 / np.where(peaks > 0, peaks, 1))).astype(np.uint8)


def answers(card: ModelCard, engine: str, arms: list[str], outputs: Outputs, inference_ms: float) -> list[Answer]:
    """The answers of one batch, in its order; `arms` names the arm of each image."""
    calibration = card.calibration
    probabilities = of_problems(outputs.logits, calibration)
    best = probabilities.labels.argmax(axis=1)
    shares = probabilities.labels.astype(np.float64).round(6).tolist()
    others = probabilities.other.astype(np.float64).round(6).tolist()
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
                    "verdict": verdict(calibration, confidence, others[row], gates[row]),
                    "label": LABELS[best[row]],
                    "confidence": confidence,
                    "probabilities": shares[row],
                    "other": others[row],
                    "gate": gates[row],
                    "heatmap": {"width": width, "height": height, "values": maps[row].ravel().tolist()},
                    "batch": len(arms),
                    "inference_ms": round(inference_ms, 2),
                }
            )
        )
    return made
