"""The training loop."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from stream_workers.engines.networks import build_network
from training.augmentation import Strength
from training.checkpoint import Checkpoint
from training.cpu_kernels import REPLACEMENTS, multiplies_bfloat16
from training.dataset import NEGATIVE
from training.export import float_network, trained_part
from training.prepared import Prepared, resized
from training.recipe import Recipe
from training.sampling import Batch, Sampler, ahead
from training.transfer import IMAGENET, backbone_of, initialise

logger = logging.getLogger(__name__)

LONGEST_STEP = 8.0
"""Seconds of one step that count as active: a paused process does not use up its budget."""
SAVE_EVERY, VALIDATE_EVERY = 180.0, 420.0
"""Active seconds between checkpoints, and between looks at the validation split."""
AVERAGE_EVERY = 4
"""Steps between updates of the moving average, which copies all weights."""


class Trainer:
    """Trains one network within a budget of active seconds.

    A checkpoint holds weights, moving average, optimizer and progress, so that a killed run continues where it was.
    """

    def __init__(
        self, recipe: Recipe, train: Prepared, val: Prepared, directory: Path, budget: float, models: Path
    ) -> None:
        self.recipe, self.directory, self.budget = recipe, directory, budget
        self._train, self._val = train, val
        keras.utils.set_random_seed(recipe.seed)
        keras.mixed_precision.set_global_policy(recipe.precision if multiplies_bfloat16() else "float32")
        self.network = build_network(recipe.architecture, replace=REPLACEMENTS)
        initialise(self.network, recipe.init, models)
        self.model = trained_part(self.network)
        self._checkpoint = Checkpoint(directory, self.model)
        recipe.save(directory)
        self.active, self.step = self._checkpoint.restore()
        self.average = self._checkpoint.average
        self._compile()
        self._checkpoint.restore_optimizer()

    @property
    def frozen(self) -> bool:
        """Whether the pretrained backbone still stands still."""
        return self.recipe.init == IMAGENET and self.progress < self.recipe.frozen

    @property
    def progress(self) -> float:
        """0 to 1."""
        return min(1.0, self.active / self.budget)

    def _compile(self) -> None:
        backbone_of(self.network).trainable = not self.frozen
        recipe = self.recipe
        optimizer = keras.optimizers.AdamW(
            recipe.learning_rate, weight_decay=recipe.weight_decay, clipnorm=1.0, beta_2=0.99
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.model.compile(
            optimizer,
            loss={
                "logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                "gate": keras.losses.BinaryCrossentropy(from_logits=True),
            },
            loss_weights={"logits": 1.0, "gate": recipe.gate_weight},
        )
        optimizer.build(self.model.trainable_variables)

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
                self._checkpoint.save(self.active, self.step)
        averaged = float_network(self.recipe.architecture, self.average)
        averaged.save_weights(self.directory / "average.weights.h5")

    def _stage(self, sampler: Sampler) -> Iterator[None]:
        """Train while image size and frozen part stay the same, one step at a time."""
        px, frozen = self.recipe.px(self.progress), self.frozen
        saved = validated = self.active
        losses: list[float] = []
        with closing(ahead(lambda: sampler.batch(self.recipe.batch, px, self._strength()))) as batches:
            self._advance(next(batches))  # tracing for a new size is not training time
            while self.progress < 1 and (self.recipe.px(self.progress), self.frozen) == (px, frozen):
                began = time.monotonic()
                losses.append(self._advance(next(batches)))
                self.active += min(LONGEST_STEP, time.monotonic() - began)
                if self.active - saved > SAVE_EVERY:
                    saved = self.active
                    self._checkpoint.save(self.active, self.step)
                    logger.info("%.3f done, step %d, %d px, loss %.3f", self.progress, self.step, px, losses[-1])
                if self.active - validated > VALIDATE_EVERY:
                    validated = self.active
                    self._record(px, losses)
                yield
        self._record(px, losses)
        if frozen and not self.frozen:
            self._compile()

    def _strength(self) -> Strength:
        return Strength.at(self.progress).scaled(self.recipe.background, self.recipe.colour)

    def _advance(self, batch: Batch) -> float:
        self.model.optimizer.learning_rate = self.recipe.rate(self.progress)
        loss = self.model.train_on_batch(
            batch.images,
            {"logits": batch.labels, "gate": batch.tomato[:, None]},
            sample_weight={"logits": batch.tomato, "gate": np.ones_like(batch.tomato)},
        )
        self.step += 1
        if self.step % AVERAGE_EVERY == 0:
            decay = min(self.recipe.average_decay, (1 + self.step) / (10 + self.step)) ** AVERAGE_EVERY
            for mean, weight in zip(self.average, self.model.weights, strict=True):
                mean[...] = decay * mean + (1 - decay) * keras.ops.convert_to_numpy(weight)
        return float(loss[0] if isinstance(loss, list) else loss)

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
