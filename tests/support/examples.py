"""One valid instance of each event."""

from datetime import UTC, datetime

from schemas.experiment import Arm, Experiment, Shadow
from schemas.feedback import Feedback
from schemas.prediction import Answer, Features, Heatmap, Prediction, Source
from schemas.replay import Run

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IMAGE_ID = "0123456789abcdef0123"


def answer(**changes):
    fields = {
        "arm": "resnet50",
        "model": "resnet50",
        "version": "1",
        "engine": "openvino",
        "verdict": "diagnosed",
        "label": "late_blight",
        "confidence": 0.9,
        "probabilities": [0.01, 0.05, 0.01, 0.9, 0.01, 0.005, 0.005, 0.005, 0.0025, 0.0025],
        "gate": 0.99,
        "heatmap": Heatmap(width=2, height=1, values=[0, 255]),
        "batch": 4,
        "inference_ms": 12.5,
    }
    return Answer.model_validate(fields | changes)


def prediction(**changes):
    fields = {
        "image_id": IMAGE_ID,
        "source": Source(
            topic="leaf.images", topic_id="t1", partition=3, offset=7, timestamp_ms=int(NOW.timestamp() * 1000)
        ),
        "camera": "camera-1",
        "experiment": "default",
        "experiment_version": 1,
        "answer": answer(),
        "features": Features(brightness=120, contrast=40, red=110, green=130, blue=90),
        "predicted_at": NOW,
    }
    return Prediction.model_validate(fields | changes)


def experiment(**changes):
    fields = {
        "name": "default",
        "version": 1,
        "salt": "s",
        "arms": [
            Arm(name="resnet50", model="resnet50", version="1", weight=0.5),
            Arm(name="efficientnetb0", model="efficientnetb0", version="1", weight=0.5),
        ],
        "shadows": [Shadow(name="new", model="resnet50", version="2")],
        "effective_at": NOW,
    }
    return Experiment.model_validate(fields | changes)


def feedback():
    return Feedback(image_id=IMAGE_ID, label="healthy", note="looked again", by="u1", given_at=NOW)


def run():
    return Run(name="again", topic_id="t1", start={0: 0, 1: 5}, end={0: 10, 1: 5}, model="resnet50@2", defined_at=NOW)
