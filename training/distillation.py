"""Learning from what trained networks answer to the same changed images."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from schemas.errors import ModelError


def distilled(network: keras.Model, teachers: Sequence[keras.Model], weight: float) -> keras.Model:
    """The network with a second input, `tomato` [N], and losses that draw logits and gate to the teachers' answers.

    Raises ModelError for a teacher that knows other classes.
    """
    if unlike := [one for one in teachers if one.output["logits"].shape != network.output["logits"].shape]:
        msg = f"{unlike[0].name} answers with {unlike[0].output['logits'].shape[-1]} classes"
        raise ModelError(msg, "Choose teachers of version 6 or later.")
    tomato = keras.Input((), name="tomato")
    outputs = network.output
    logits, gate = Distillation(teachers, weight)(network.input, outputs["logits"], outputs["gate"], tomato)
    return keras.Model({"image": network.input, "tomato": tomato}, {"logits": logits, "gate": gate})


class Distillation(keras.layers.Layer):  # type: ignore[misc]
    """Adds losses that draw logits [N, 11] and gate [N] to the teachers' mean probabilities; returns both unchanged.

    The teachers see the very images the student sees, mixed and changed as they are (Beyer et al. 2022,
    arXiv:2106.05237); several are better than one (Hinton et al. 2015, arXiv:1503.02531). For the logits only images
    where `tomato` [N] is 1 count.
    """

    def __init__(self, teachers: Sequence[keras.Model], weight: float) -> None:
        super().__init__(name="distillation", trainable=False, dtype="float32")
        self.teachers = list(teachers)
        self.weight = weight
        for teacher in self.teachers:
            teacher.trainable = False

    def call(self, images: Any, logits: Any, gate: Any, tomato: Any) -> Any:
        """Let the teachers answer for the images."""
        answers = [teacher(images, training=False) for teacher in self.teachers]
        labels = ops.mean(ops.stack([ops.softmax(answer["logits"]) for answer in answers]), axis=0)
        leaf = ops.mean(ops.stack([ops.sigmoid(answer["gate"]) for answer in answers]), axis=0)
        losses = -ops.sum(labels * ops.log_softmax(logits), axis=-1)
        gate_losses = ops.binary_crossentropy(ops.reshape(leaf, (-1,)), ops.reshape(gate, (-1,)), from_logits=True)
        self.add_loss(self.weight * (ops.mean(losses * tomato) + ops.mean(gate_losses)))
        return logits, gate
