"""What each part of the recipe is worth: the same training without it, with one source left out of training."""

import re
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from stream_workers.engines import Outputs
from training.checkpoint import stored_average
from training.inference import Served
from training.metrics import metrics
from training.network import float_network
from training.prepared import Prepared, resized
from training.recipe import Recipe
from training.release import UNCALIBRATED
from training.trainer import Trainer

PX: Final = 128
AS_IT_IS, AGAIN, MEAN = "as it is", "as it is, another seed", "mean of the weights of these two"
VARIANTS: Final[dict[str, dict[str, Any]]] = {
    AS_IT_IS: {},
    AGAIN: {"seed": 1},
    "last weights, not their average along the run": {"average_decay": 0},
    "from random weights": {"init": "scratch", "frozen": 0},
    "all layers from the start, not the head first": {"frozen": 0},
    "without field photographs": {"field": 0},
    "without crops of single leaves": {"boxes": False},
    "cut-out leaves on everyday scenes only": {"wild_scenes": False},
    "leaves on their own desks only": {"background": 0},
    "160 pixels": {"sizes": ((0.0, 160),)},
}
"""What is changed -> fields of the recipe. The second says how much is chance."""


class Ablated(BaseModel):
    """One variant's figures in float; gate and thresholds are ignored."""

    lab: float
    """Accuracy over the ten labels on the lab's val."""
    field: float
    """The same on the field's val, of the sources that were trained on."""
    left_out: float
    """The same on all photographs of the source that was not trained on."""
    gate_auroc: float
    """On the field's val, of all sources."""


class Ablation:
    """Trains the variants one after the other; what is done is kept, and a killed one continues where it was.

    `directory` belongs to one number of steps: figures of another are not these.
    """

    def __init__(
        self, recipe: Recipe, train: Prepared, val: Prepared, left_out: str, directory: Path, steps: int
    ) -> None:
        self._recipe = recipe.model_copy(update={"sizes": ((0.0, PX),), "steps": steps, "without": (left_out,)})
        self._train, self._val, self._directory = train, val, directory
        self._unknown = train.chosen(train.of_sources(left_out) & ~train.boxed)

    def figures(self, variant: str) -> Ablated:
        """Train this variant, unless it is done, and score it."""
        run = self._run(variant)
        done = run / "figures.json"
        if not done.exists():
            run.mkdir(parents=True, exist_ok=True)
            recipe = self._recipe.model_copy(update=VARIANTS[variant])
            trainer = Trainer(recipe, self._train, self._val, run, run)
            trainer.run()
            done.write_text(self._score(trainer.average, recipe.px(1.0)).model_dump_json())
            keras.backend.clear_session()
        return Ablated.model_validate_json(done.read_bytes())

    def mean(self) -> Ablated:
        """The figures of the mean of two runs' weights (Wortsman et al. 2022, arXiv:2203.05482)."""
        averages = [stored_average(self._run(variant))[0] for variant in (AS_IT_IS, AGAIN)]
        return self._score([np.mean(arrays, axis=0) for arrays in zip(*averages, strict=True)], PX)

    def _run(self, variant: str) -> Path:
        return self._directory / re.sub(r"\W+", "-", variant)

    def _score(self, weights: list[NDArray[np.float32]], px: int) -> Ablated:
        network = float_network(self._recipe.architecture, weights, px)
        known = self._val.of_sources(*self._recipe.without)
        lab = _figures(network, self._val.chosen(~self._val.field), px)
        trained = _figures(network, self._val.chosen(self._val.field & ~known), px)
        return Ablated(
            lab=lab["accuracy"],
            field=trained["accuracy"],
            left_out=_figures(network, self._unknown, px)["accuracy"],
            gate_auroc=trained["gatekeeper_auroc"],
        )


def ablation_table(architecture: str, steps: int, left_out: str, found: dict[str, Ablated]) -> str:
    """Markdown, one row a variant."""
    command = f"python -m training ablate {architecture} --steps {steps} --without {left_out}"
    lines = [
        f"# What parts of the recipe are worth: {architecture}\n",
        f"Made by `{command}`: {PX} pixels, batches of 32, so many steps each, no photograph of {left_out} trained on.",
        "Accuracy over the ten labels in float: on the lab's val, on the field's, and on all of the source left out.\n",
        f"| variant | lab | field | {left_out}, not trained on | gate AUROC, field |",
        "|---|---|---|---|---|",
    ]
    for variant, one in found.items():
        values = (one.lab, one.field, one.left_out, one.gate_auroc)
        lines.append(f"| {variant} | " + " | ".join(f"{value:.3f}" for value in values) + " |")
    return "\n".join(lines) + "\n"


def _figures(network: keras.Model, data: Prepared, px: int) -> dict[str, Any]:
    answers = network.predict(resized(data, px), batch_size=64, verbose=0)
    outputs = Outputs(answers["logits"], answers["gate"].reshape(-1), answers["evidence"])
    return metrics(Served(outputs, data.labels, [], []), UNCALIBRATED)
