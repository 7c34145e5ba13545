"""Synthetic traffic with planted rates, assigned to arms as the workers do, and the cards it is held against."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import examples
import numpy as np
from scipy import stats
from sinks import START_MS, made, told

from schemas.card import Calibration, Histogram, ModelCard, Preprocessing
from schemas.counters import EDGES
from schemas.experiment import Arm, Experiment
from schemas.feedback import Feedback
from schemas.image import ImageEvent
from schemas.labels import LABELS
from schemas.prediction import Features, Prediction
from stream_workers.assignment import assign

BRIGHTNESS = stats.norm(120, 25)
"""What the cards remember, and what the traffic looks like unless it drifts."""
LABEL_SHARES = dict(zip(LABELS, [0.19, 0.17, 0.15, 0.13, 0.11, 0.09, 0.07, 0.05, 0.03, 0.01], strict=True))


def card(name: str, version: str = "1") -> ModelCard:
    """A card with baselines in the counters' own bins."""
    edges = EDGES["brightness"]
    below = BRIGHTNESS.cdf(edges)
    below[0], below[-1] = 0, 1
    return ModelCard(
        name=name,
        version=version,
        architecture=name,
        preprocessing=Preprocessing(px=128),
        files={},
        batch_ceiling={"openvino": 8},
        calibration=Calibration(temperature=1, confidence_threshold=0.6, gate_temperature=1, gate_threshold=0.5),
        metrics={},
        drift_baselines={"brightness": Histogram(edges=list(edges), shares=np.diff(below).tolist())},
        class_shares=LABEL_SHARES,
        data_fingerprint="-",
        code_fingerprint="-",
        recipe={},
        trained_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def two_arms(weight: float = 0.7, *, name: str = "x", version: int = 1, since_ms: int = START_MS) -> Experiment:
    """`old` against `new`, salted alike whatever the weights."""
    return Experiment(
        name=name,
        version=version,
        salt="pepper",
        arms=[
            Arm(name="old", model="resnet50", version="1", weight=weight),
            Arm(name="new", model="efficientnetb0", version="1", weight=1 - weight),
        ],
        effective_at=datetime.fromtimestamp(since_ms / 1000, UTC),
    )


@dataclass
class Traffic:
    """Makes predictions; `accuracy` and `uncertain` by arm, the rest alike. All chance comes from `seed`."""

    accuracy: dict[str, float]
    uncertain: dict[str, float]
    feedback: float = 0.25
    shadow_agrees: float | None = None
    brightness: float = 120
    seed: int = 1

    def events(
        self, experiment: Experiment, numbers: range, every_ms: int = 100
    ) -> tuple[list[Prediction], list[Feedback]]:
        """One photograph every so many milliseconds from the test's hour on."""
        chance = random.Random(self.seed)
        made_of = [self._one(chance, experiment, number, every_ms) for number in numbers]
        predictions = [prediction for prediction, _ in made_of]
        return predictions, [feedback for _, feedback in made_of if feedback]

    def _one(
        self, chance: random.Random, experiment: Experiment, number: int, every_ms: int
    ) -> tuple[Prediction, Feedback | None]:
        image_id = f"image-{number:016d}"
        image = ImageEvent(id=image_id, jpeg=b"", accepted_at=datetime.now(UTC), key=image_id)
        assigned = assign(experiment, image)
        arm = assigned.answering
        true = chance.choices(LABELS, LABEL_SHARES.values())[0]
        right = chance.random() < self.accuracy[arm.arm]
        label = true if right else chance.choice([other for other in LABELS if other != true])
        confidence = chance.betavariate(6, 2)
        answer = examples.answer(
            arm=arm.arm,
            model=arm.model,
            version=arm.version,
            label=label,
            confidence=confidence,
            verdict="uncertain" if chance.random() < self.uncertain[arm.arm] else "diagnosed",
        )
        light = min(max(chance.gauss(self.brightness, 25), 0), 255)
        extra: dict[str, Any] = {}
        if self.shadow_agrees is not None:
            other = label if chance.random() < self.shadow_agrees else chance.choice(LABELS)
            extra["shadows"] = (answer.model_copy(update={"arm": "shadow", "label": other}),)
        prediction = made(
            number,
            partition=number % 4,
            camera=f"camera-{number % 2}" if number % 3 == 0 else None,
            experiment=assigned.experiment,
            experiment_version=assigned.experiment_version,
            answer=answer,
            features=Features(brightness=light, contrast=40, red=light, green=light, blue=light),
            source={"timestamp_ms": START_MS + number * every_ms},
            **extra,
        )
        return prediction, told(number, true) if chance.random() < self.feedback else None
