"""From a model's raw outputs to the calibrated answer that an event carries."""

import numpy as np
import numpy.typing as npt

from schemas.card import Calibration, ModelCard
from schemas.labels import LABELS
from schemas.prediction import Answer, Heatmap, Verdict
from stream_workers.engines import Outputs

Floats = npt.NDArray[np.float32]


def softmax(logits: Floats) -> Floats:
    """[N, 10] -> probabilities along the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float32)


def sigmoid(logits: Floats) -> Floats:
    """Elementwise, without overflow."""
    return np.asarray((1 + np.tanh(logits / 2)) / 2, np.float32)


def heatmap(evidence: Floats) -> Heatmap:
    """One label's evidence [h, w]: what speaks against the label is cut off, the strongest cell becomes 255."""
    positive = np.clip(evidence, 0, None)
    peak = float(positive.max())
    values = np.rint(positive * (255 / peak) if peak > 0 else positive).astype(np.uint8)
    return Heatmap(width=evidence.shape[1], height=evidence.shape[0], values=values.ravel().tolist())


def verdict(calibration: Calibration, confidence: float, gate: float) -> Verdict:
    """Is it a tomato leaf at all, and if so, are we sure enough of its label to say it."""
    if gate < calibration.gate_threshold:
        return "not_tomato_leaf"
    return "diagnosed" if confidence >= calibration.confidence_threshold else "uncertain"


def answers(card: ModelCard, engine: str, arms: list[str], outputs: Outputs, inference_ms: float) -> list[Answer]:
    """The answers of one batch, in its order; `arms` names the arm of each image."""
    calibration = card.calibration
    probabilities = softmax(outputs.logits / np.float32(calibration.temperature))
    gates = sigmoid(outputs.gate / np.float32(calibration.gate_temperature))
    made = []
    for arm, shares, gate, evidence in zip(arms, probabilities, gates, outputs.evidence, strict=True):
        best = int(shares.argmax())
        confidence, leaf = round(float(shares[best]), 6), round(float(gate), 6)
        made.append(
            Answer.model_validate(
                {
                    "arm": arm,
                    "model": card.name,
                    "version": card.version,
                    "engine": engine,
                    "verdict": verdict(calibration, confidence, leaf),
                    "label": LABELS[best],
                    "confidence": confidence,
                    "probabilities": [round(float(share), 6) for share in shares],
                    "gate": leaf,
                    "heatmap": heatmap(evidence[:, :, best]),
                    "batch": len(arms),
                    "inference_ms": round(inference_ms, 2),
                }
            )
        )
    return made
