"""What each part of the recipe is worth: the same training without it, from scratch, at one size."""

import re
from pathlib import Path
from typing import Any, Final

import keras
from pydantic import BaseModel

from stream_workers.engines import Outputs
from training.inference import Served
from training.metrics import metrics
from training.network import float_network
from training.prepared import Prepared, resized
from training.recipe import Recipe
from training.release import UNCALIBRATED
from training.trainer import Trainer

PX: Final = 64
BATCH: Final = 32
"""Small, so that a short training has steps enough."""
PACE: Final = 0.25
"""Seconds that a step counts for, about what it takes on two cores: variants are compared after as many steps each."""
VARIANTS: Final[dict[str, dict[str, float]]] = {
    "as it is": {},
    "as it is, drawn anew": {"seed": 1},
    "leaves on their own desks only": {"background": 0},
    "colours as they are, no blur, noise or JPEG": {"colour": 0},
    "classes as often as they come": {"balance": 1},
    "no photographs mixed": {"mixed": 0},
    "last weights, not their average": {"average_decay": 0},
    "gate's loss weighs 0.3 instead of 1": {"gate_weight": 0.3},
}
"""What is changed -> fields of the recipe. The second says how much is chance."""


class Ablated(BaseModel):
    """One variant's figures, on validation photographs in float, gate and threshold ignored."""

    accuracy: float
    macro_f1: float
    swapped_accuracy: float
    """On the same leaves with other backgrounds."""
    gate_auroc: float


class Ablation:
    """Trains the variants one after the other; what is done is kept, and a killed one continues where it was.

    `directory` belongs to one number of steps: figures of another are not these.
    """

    def __init__(
        self, recipe: Recipe, train: Prepared, val: Prepared, swapped: Prepared, directory: Path, steps: int
    ) -> None:
        self._recipe = recipe.model_copy(update={"sizes": ((0.0, PX),), "batch": BATCH})
        self._train, self._val, self._swapped = train, val, swapped
        self._directory, self._steps = directory, steps

    def figures(self, variant: str) -> Ablated:
        """Train this variant, unless it is done, and score it."""
        run = self._directory / re.sub(r"\W+", "-", variant)
        told = run / "figures.json"
        if not told.exists():
            run.mkdir(parents=True, exist_ok=True)
            recipe = self._recipe.model_copy(update=VARIANTS[variant])
            trainer = Trainer(recipe, self._train, self._val, run, self._steps * PACE, run, PACE)
            trainer.run()
            told.write_text(self._score(trainer).model_dump_json())
            keras.backend.clear_session()
        return Ablated.model_validate_json(told.read_bytes())

    def _score(self, trainer: Trainer) -> Ablated:
        network = float_network(self._recipe.architecture, trainer.average, PX)
        plain, swapped = _figures(network, self._val), _figures(network, self._swapped)
        return Ablated(
            accuracy=plain["accuracy"],
            macro_f1=plain["macro_f1"],
            swapped_accuracy=swapped["accuracy"],
            gate_auroc=plain["gatekeeper_auroc"],
        )


def ablation_table(architecture: str, steps: int, found: dict[str, Ablated]) -> str:
    """Markdown, one row a variant."""
    command = f"python -m training ablate {architecture} --steps {steps}"
    lines = [
        f"# What parts of the recipe are worth: {architecture}\n",
        f"Made by `{command}`: from scratch, {PX} pixels, batches of {BATCH}, so many steps each,",
        "scored on val and on the same leaves with other backgrounds.\n",
        "| variant | accuracy | macro F1 | accuracy on swapped backgrounds | gate AUROC |",
        "|---|---|---|---|---|",
    ]
    for variant, one in found.items():
        values = (one.accuracy, one.macro_f1, one.swapped_accuracy, one.gate_auroc)
        lines.append(f"| {variant} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    return "\n".join(lines) + "\n"


def _figures(network: keras.Model, data: Prepared) -> dict[str, Any]:
    said = network.predict(resized(data, PX), batch_size=64, verbose=0)
    outputs = Outputs(said["logits"], said["gate"].reshape(-1), said["evidence"])
    return metrics(Served(outputs, data.labels, [], []), UNCALIBRATED)
