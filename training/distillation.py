"""Learning from what trained networks say of the same changed photographs."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class Distillation(keras.layers.Layer):  # type: ignore[misc]
    """Adds a loss that draws the logits [N, 10] to the teachers' mean probabilities; returns the logits.

    The teachers see the very images the student sees, mixed and changed as they are (Beyer et al. 2022,
    arXiv:2106.05237); several are better than one (Hinton et al. 2015, arXiv:1503.02531). Only images where `tomato`
    [N] is 1 count.
    """

    def __init__(self, teachers: Sequence[keras.Model], weight: float) -> None:
        super().__init__(name="distillation", trainable=False, dtype="float32")
        self.teachers = list(teachers)
        self.weight = weight
        for teacher in self.teachers:
            teacher.trainable = False

    def call(self, images: Any, logits: Any, tomato: Any) -> Any:
        """Let the teachers judge the images."""
        said = [ops.softmax(teacher(images, training=False)["logits"]) for teacher in self.teachers]
        mean = ops.mean(ops.stack(said), axis=0)
        losses = -ops.sum(mean * ops.log_softmax(logits), axis=-1)
        self.add_loss(self.weight * ops.mean(losses * tomato))
        return logits
