"""What each part of the recipe is worth: the same training without it, from scratch, at one size."""

import io
import json
import logging
from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel
from sklearn.metrics import f1_score, roc_auc_score

from training.dataset import NEGATIVE, index_of, photographs
from training.export import float_network
from training.prepared import Prepared, resized, square
from training.recipe import Recipe
from training.settling import settle
from training.trainer import Trainer

logger = logging.getLogger(__name__)

PX: Final = 64
VARIANTS: Final[dict[str, dict[str, float]]] = {
    "as it is": {},
    "leaves on their own desks only": {"background": 0},
    "colours as they are, no blur, noise or JPEG": {"colour": 0},
    "classes as often as they come": {"balance": 1},
    "last weights, not their average": {"average_decay": 0},
    "gate's loss weighs 0.3 instead of 1": {"gate_weight": 0.3},
}
"""What is changed -> fields of the recipe."""


class Ablated(BaseModel):
    """One variant's figures, on validation photographs in float, gate and threshold ignored."""

    steps: int
    accuracy: float
    macro_f1: float
    swapped_accuracy: float
    """On the same leaves with other backgrounds."""
    gate_auroc: float


class Ablation:
    """Trains the variants one after the other; what is done is kept, and a killed one continues where it was."""

    def __init__(self, recipe: Recipe, train: Prepared, val: Prepared, swapped: Path, directory: Path) -> None:
        self._recipe = recipe.model_copy(update={"sizes": ((0.0, PX),)})
        self._train, self._val, self._directory = train, val, directory
        items = [item for item in photographs(swapped) if item.label]
        self._swapped = np.stack([square(Image.open(io.BytesIO(item.content)).convert("RGB"), PX) for item in items])
        self._swapped_labels = np.array([index_of(item.label or "") for item in items])

    def figures(self, variant: str, budget: float) -> Ablated:
        """Train this variant for so many active seconds, unless it is done, and score it."""
        run = self._directory / variant.replace(" ", "-").replace("'", "").replace(",", "")
        told = run / "figures.json"
        if not told.exists():
            run.mkdir(parents=True, exist_ok=True)
            trainer = Trainer(
                self._recipe.model_copy(update=VARIANTS[variant]), self._train, self._val, run, budget, run
            )
            trainer.run()
            told.write_text(self._score(trainer).model_dump_json())
            keras.backend.clear_session()
        return Ablated.model_validate(json.loads(told.read_text()))

    def _score(self, trainer: Trainer) -> Ablated:
        network = float_network(self._recipe.architecture, trainer.average, PX)
        settle(network, self._train, PX)
        logits, gate = _outputs(network, resized(self._val, PX))
        tomato = self._val.labels != NEGATIVE
        guessed, labels = logits.argmax(axis=1)[tomato], self._val.labels[tomato]
        swapped, _ = _outputs(network, self._swapped)
        return Ablated(
            steps=trainer.step,
            accuracy=float((guessed == labels).mean()),
            macro_f1=float(f1_score(labels, guessed, average="macro")),
            swapped_accuracy=float((swapped.argmax(axis=1) == self._swapped_labels).mean()),
            gate_auroc=float(roc_auc_score(tomato, gate)),
        )


def ablation_table(architecture: str, minutes: float, found: dict[str, Ablated]) -> str:
    """Markdown, one row a variant."""
    command = f"python -m training ablate {architecture} --minutes {minutes:g}"
    lines = [
        f"# What parts of the recipe are worth: {architecture}\n",
        f"Made by `{command}`: from scratch, {PX} pixels, so many minutes each, scored on val and on",
        "the same leaves with other backgrounds.\n",
        "| variant | steps | accuracy | macro F1 | accuracy on swapped backgrounds | gate AUROC |",
        "|---|---|---|---|---|---|",
    ]
    for variant, one in found.items():
        values = (one.accuracy, one.macro_f1, one.swapped_accuracy, one.gate_auroc)
        lines.append(f"| {variant} | {one.steps} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    return "\n".join(lines) + "\n"


def _outputs(network: keras.Model, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    found = network.predict(images, batch_size=64, verbose=0)
    return found["logits"], found["gate"].reshape(-1)
