"""The training loop."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from schemas.labels import LABELS
from stream_workers.engines.networks import build_network
from training.augmentation import Augmentation
from training.checkpoint import Checkpoint
from training.dataset import NEGATIVE
from training.distillation import distilled
from training.kernels import REPLACEMENTS, multiplies_bfloat16
from training.network import float_network, trained_part
from training.prepared import Prepared, resized
from training.recipe import Recipe
from training.sampling import Sampler
from training.strength import Strength
from training.transfer import LITE0, backbone_of, initialise, stored_network

logger = logging.getLogger(__name__)

BURST = 10
"""Steps between updates of the averaged weights: only then weights leave the backend's memory."""
SAVE_EVERY, VALIDATE_EVERY = 100, 500
"""Steps between checkpoints, and between looks at the validation split."""
RECALIBRATION = 60
"""Batches that set the normalisation statistics of a backbone whose activations are not those it was trained with."""


class Trainer:
    """Trains one network for as many steps as its recipe says.

    A checkpoint holds weights, moving average, optimizer and progress, so that a killed run continues where it was.
    """

    def __init__(self, recipe: Recipe, train: Prepared, val: Prepared, directory: Path, models: Path) -> None:
        self.recipe, self.directory = recipe, directory
        self._train, self._val = train, val
        keras.utils.set_random_seed(recipe.seed)
        keras.mixed_precision.set_global_policy(
            recipe.precision if multiplies_bfloat16(recipe.architecture) else "float32"
        )
        self.network = build_network(recipe.architecture, replace=REPLACEMENTS)
        initialise(self.network, recipe.init, models)
        self.model = trained_part(self.network)
        self._augmentation = Augmentation(train.rgba)
        self._resized: NDArray[np.uint8] | None = None
        self._teachers = [stored_network(teacher, models) for teacher in recipe.teachers]
        self._checkpoint = Checkpoint(directory, self.model)
        recipe.save(directory)
        self.step = self._checkpoint.restore()
        self.average = self._checkpoint.average
        self.optimizer = self._new_optimizer()
        self._checkpoint.restore_optimizer(self.optimizer)

    @property
    def frozen(self) -> bool:
        """Whether only the head learns."""
        return self.progress < self.recipe.frozen

    @property
    def progress(self) -> float:
        """0 to 1."""
        return min(1.0, self.step / self.recipe.steps)

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

    def _compiled(self) -> keras.Model:
        """What is trained: the network, or what teaches it."""
        labelled = 1 - (self.recipe.distilled if self._teachers else 0)
        model = distilled(self.model, self._teachers, self.recipe.distilled) if self._teachers else self.model
        model.compile(
            self.optimizer,
            loss={
                "logits": keras.losses.CategoricalCrossentropy(from_logits=True),
                "gate": keras.losses.BinaryCrossentropy(from_logits=True),
            },
            loss_weights={"logits": labelled, "gate": labelled * self.recipe.gate_weight},
        )
        return model

    def run(self) -> None:
        """Train to the end; Ctrl-C stops after saving a checkpoint."""
        sampler = Sampler(self._train, self.recipe, self.step)
        with Progress() as bar:
            task = bar.add_task(self.recipe.architecture, total=self.recipe.steps)
            try:
                if not self.step and self.recipe.init == LITE0:
                    self._recalibrate(sampler)
                while self.progress < 1:
                    for _ in self._stage(sampler):
                        bar.update(task, completed=self.step)
            finally:
                self._checkpoint.save(self.step, self.optimizer)
        averaged = float_network(self.recipe.architecture, self.average)
        averaged.save_weights(self.directory / "average.weights.h5")

    def _recalibrate(self, sampler: Sampler) -> None:
        """Let the normalisation statistics follow activations that are not those of the pretrained network."""
        backbone_of(self.network).trainable = True
        for _ in range(RECALIBRATION):
            drawn, _ = sampler.batch(self.recipe.batch, Strength.at(0))
            self.model(self._augmentation(drawn, self.recipe.px(0)), training=True)
        backbone_of(self.network).trainable = not self.frozen
        self.average[:] = [np.array(keras.ops.convert_to_numpy(weight)) for weight in self.model.weights]

    def _stage(self, sampler: Sampler) -> Iterator[None]:
        """Train while image size and frozen part stay the same, one burst at a time."""
        px, frozen = self.recipe.px(self.progress), self.frozen
        losses: list[float] = []
        model = self._compiled()
        while self.progress < 1 and (self.recipe.px(self.progress), self.frozen) == (px, frozen):
            before = self.step
            losses.append(self._advance(model, sampler, min(BURST, self.recipe.steps - self.step), px))
            if before // SAVE_EVERY < self.step // SAVE_EVERY:
                self._checkpoint.save(self.step, self.optimizer)
                logger.info("step %d of %d, %d px, loss %.3f", self.step, self.recipe.steps, px, np.mean(losses[-10:]))
            if before // VALIDATE_EVERY < self.step // VALIDATE_EVERY:
                self._record(px, losses)
            yield
        self._record(px, losses)
        if frozen and not self.frozen:
            self.optimizer = self._new_optimizer()

    def _advance(self, model: keras.Model, sampler: Sampler, steps: int, px: int) -> float:
        """So many steps; returns their mean loss."""
        self.optimizer.learning_rate = self.recipe.rate(self.progress)
        fitted = model.fit(self._batches(sampler, steps, px), steps_per_epoch=steps, shuffle=False, verbose=0)
        self.step += steps
        decay = min(self.recipe.average_decay, (1 + self.step) / (10 + self.step)) ** steps
        for mean, weight in zip(self.average, self.model.weights, strict=True):
            mean[...] = decay * mean + (1 - decay) * keras.ops.convert_to_numpy(weight)
        return float(fitted.history["loss"][-1])

    def _batches(self, sampler: Sampler, steps: int, px: int) -> Iterator[tuple[Any, Any, Any]]:
        recipe = self.recipe
        strength = Strength.at(self.progress).scaled(recipe.background, recipe.colour, recipe.mixed)
        for _ in range(steps):
            drawn, targets = sampler.batch(recipe.batch, strength)
            tomato = drawn["tomato"].astype(np.float32)
            images = self._augmentation(drawn, px)
            yield (
                {"image": images, "tomato": tomato} if self._teachers else images,
                {"logits": targets, "gate": tomato[:, None]},
                {"logits": tomato, "gate": np.ones_like(tomato)},
            )

    def _record(self, px: int, losses: list[float]) -> None:
        """Append one line to history.jsonl: the averaged weights on val."""
        live = [keras.ops.convert_to_numpy(weight) for weight in self.model.weights]
        try:
            self._assign(self.average)
            scores = validate(self.model, self._val, self._squares(px))
        finally:
            self._assign(live)
        line = {
            "progress": round(self.progress, 4),
            "step": self.step,
            "px": px,
            "rate": self.recipe.rate(self.progress),
            "loss": round(float(np.mean(losses[-30:])), 4),
            **{name: round(score, 4) for name, score in scores.items()},
        }
        with (self.directory / "history.jsonl").open("a") as history:
            history.write(json.dumps(line) + "\n")
        logger.info("%s", line)

    def _squares(self, px: int) -> NDArray[np.uint8]:
        if self._resized is None or self._resized.shape[1] != px:
            self._resized = resized(self._val, px)
        return self._resized

    def _assign(self, values: list[NDArray[np.float32]]) -> None:
        for weight, value in zip(self.model.weights, values, strict=True):
            weight.assign(value)


def validate(model: keras.Model, data: Prepared, images: NDArray[np.uint8]) -> dict[str, float]:
    """Accuracy over the ten classes in lab and field, and the gate's on all images [N, px, px, 3], at 0.5."""
    outputs = model.predict(images, batch_size=64, verbose=0)
    right = outputs["logits"][:, : len(LABELS)].argmax(axis=1) == data.labels
    known = data.labels >= 0
    scores = {
        f"val_{name}_accuracy": float(right[rows].mean())
        for name, rows in (("lab", known & ~data.field), ("field", known & data.field))
        if rows.any()
    }
    gate = (outputs["gate"].reshape(-1) > 0) == (data.labels != NEGATIVE)
    return {**scores, "val_gate_accuracy": float(gate.mean())}
