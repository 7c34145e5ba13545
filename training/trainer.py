"""The training loop."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from stream_workers.engines.networks import build_network
from training.augmentation import Augmentation, augmented
from training.checkpoint import Checkpoint
from training.dataset import NEGATIVE
from training.distillation import Distillation
from training.kernels import REPLACEMENTS, multiplies_bfloat16
from training.network import float_network, trained_part
from training.prepared import Prepared, resized
from training.recipe import Recipe
from training.sampling import Sampler
from training.strength import Strength
from training.transfer import IMAGENET, backbone_of, initialise, stored_network

logger = logging.getLogger(__name__)

BURST = 2.0
"""Seconds between looks at the clock, or a fiftieth of the budget: only then weights leave the backend's memory."""
LONGEST_BURST = 30.0
"""Seconds of one that count as active: a paused process does not use up its budget."""
SAVE_EVERY, VALIDATE_EVERY = 180.0, 420.0
"""Active seconds between checkpoints, and between looks at the validation split."""


class Trainer:
    """Trains one network within a budget of active seconds: those it takes, or `pace` for every step.

    A checkpoint holds weights, moving average, optimizer and progress, so that a killed run continues where it was.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: Prepared,
        val: Prepared,
        directory: Path,
        budget: float,
        models: Path,
        pace: float | None = None,
    ) -> None:
        self.recipe, self.directory, self.budget, self._pace = recipe, directory, budget, pace
        self._train, self._val = train, val
        keras.utils.set_random_seed(recipe.seed)
        keras.mixed_precision.set_global_policy(
            recipe.precision if multiplies_bfloat16(recipe.architecture) else "float32"
        )
        self.network = build_network(recipe.architecture, replace=REPLACEMENTS)
        initialise(self.network, recipe.init, models)
        self.model = trained_part(self.network)
        self._augmentation = Augmentation(train.rgba)
        teachers = [stored_network(teacher, models) for teacher in recipe.teachers]
        self._distillation = Distillation(teachers, recipe.distilled) if teachers else None
        self._checkpoint = Checkpoint(directory, self.model)
        recipe.save(directory)
        self.active, self.step = self._checkpoint.restore()
        self.average = self._checkpoint.average
        self.optimizer = self._new_optimizer()
        self._checkpoint.restore_optimizer(self.optimizer)

    @property
    def frozen(self) -> bool:
        """Whether the pretrained backbone still stands still."""
        return self.recipe.init == IMAGENET and self.progress < self.recipe.frozen

    @property
    def progress(self) -> float:
        """0 to 1."""
        return min(1.0, self.active / self.budget)

    def _new_optimizer(self) -> Any:
        """An optimizer of the weights that are trained now."""
        backbone_of(self.network).trainable = not self.frozen
        recipe = self.recipe
        optimizer = keras.optimizers.AdamW(
            recipe.learning_rate, weight_decay=recipe.weight_decay, clipnorm=1.0, beta_2=0.99
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        optimizer.build(self.model.trainable_variables)
        return optimizer

    def _compiled(self, px: int) -> keras.Model:
        """The model behind the augmentation, for images of one size."""
        model = augmented(self.model, self._augmentation, px, self._distillation)
        model.compile(
            self.optimizer,
            loss={
                "logits": keras.losses.CategoricalCrossentropy(from_logits=True),
                "gate": keras.losses.BinaryCrossentropy(from_logits=True),
            },
            loss_weights={
                "logits": 1 - (self.recipe.distilled if self._distillation else 0),
                "gate": self.recipe.gate_weight,
            },
        )
        return model

    def run(self) -> None:
        """Train until the budget is used up; Ctrl-C stops after saving a checkpoint."""
        sampler = Sampler(self._train, self.recipe.seed + self.step, self.recipe.balance)
        with Progress() as bar:
            task = bar.add_task(self.recipe.architecture, total=1.0)
            try:
                while self.progress < 1:
                    for _ in self._stage(sampler):
                        bar.update(task, completed=self.progress)
            finally:
                self._checkpoint.save(self.active, self.step, self.optimizer)
        averaged = float_network(self.recipe.architecture, self.average)
        averaged.save_weights(self.directory / "average.weights.h5")

    def _stage(self, sampler: Sampler) -> Iterator[None]:
        """Train while image size and frozen part stay the same, one burst at a time."""
        px, frozen = self.recipe.px(self.progress), self.frozen
        saved = validated = self.active
        losses: list[float] = []
        model, steps = self._compiled(px), 1
        self._advance(model, sampler, 1)  # tracing for a new size is not training time
        while self.progress < 1 and (self.recipe.px(self.progress), self.frozen) == (px, frozen):
            began = time.monotonic()
            losses.append(self._advance(model, sampler, steps))
            took = self._pace * steps if self._pace else time.monotonic() - began
            self.active += min(LONGEST_BURST, took)
            steps = max(1, min(2 * steps, int(steps * min(BURST, self.budget / 50) / took)))
            if self.active - saved > SAVE_EVERY:
                saved = self.active
                self._checkpoint.save(self.active, self.step, self.optimizer)
                logger.info("%.3f done, step %d, %d px, loss %.3f", self.progress, self.step, px, losses[-1])
            if self.active - validated > VALIDATE_EVERY:
                validated = self.active
                self._record(px, losses)
            yield
        self._record(px, losses)
        if frozen and not self.frozen:
            self.optimizer = self._new_optimizer()

    def _advance(self, model: keras.Model, sampler: Sampler, steps: int) -> float:
        """So many steps; returns their mean loss."""
        self.optimizer.learning_rate = self.recipe.rate(self.progress)
        told = model.fit(self._batches(sampler, steps), steps_per_epoch=steps, shuffle=False, verbose=0)
        self.step += steps
        decay = min(self.recipe.average_decay, (1 + self.step) / (10 + self.step)) ** steps
        for mean, weight in zip(self.average, self.model.weights, strict=True):
            mean[...] = decay * mean + (1 - decay) * keras.ops.convert_to_numpy(weight)
        return float(told.history["loss"][-1])

    def _batches(self, sampler: Sampler, steps: int) -> Iterator[tuple[Any, Any, Any]]:
        recipe = self.recipe
        strength = Strength.at(self.progress).scaled(recipe.background, recipe.colour, recipe.mixed)
        for _ in range(steps):
            drawn, targets = sampler.batch(recipe.batch, strength)
            tomato = drawn["tomato"]
            yield (
                drawn,
                {"logits": targets, "gate": tomato[:, None]},
                {"logits": tomato, "gate": np.ones_like(tomato)},
            )

    def _record(self, px: int, losses: list[float]) -> None:
        """Append one line to history.jsonl: the averaged weights on val."""
        live = [keras.ops.convert_to_numpy(weight) for weight in self.model.weights]
        self._assign(self.average)
        accuracy, gate = validate(self.model, self._val, px)
        self._assign(live)
        line = {
            "progress": round(self.progress, 4),
            "active_s": round(self.active, 1),
            "step": self.step,
            "px": px,
            "rate": self.recipe.rate(self.progress),
            "loss": round(float(np.mean(losses[-200:])), 4),
            "val_accuracy": round(accuracy, 4),
            "val_gate_accuracy": round(gate, 4),
        }
        with (self.directory / "history.jsonl").open("a") as history:
            history.write(json.dumps(line) + "\n")
        logger.info("%s", line)

    def _assign(self, values: list[NDArray[np.float32]]) -> None:
        for weight, value in zip(self.model.weights, values, strict=True):
            weight.assign(value)


def validate(model: keras.Model, data: Prepared, px: int) -> tuple[float, float]:
    """Class accuracy on the tomato photographs, and the gate's on all, at 0.5."""
    outputs = model.predict(resized(data, px), batch_size=64, verbose=0)
    tomato = data.labels != NEGATIVE
    accuracy = float((outputs["logits"].argmax(axis=1) == data.labels)[tomato].mean())
    return accuracy, float(((outputs["gate"].reshape(-1) > 0) == tomato).mean())
