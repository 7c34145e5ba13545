"""Random changes to training photographs, computed in batches by Keras's backend, inside the training step.

The sampler draws every random number beforehand, so that what happens here is a function of its inputs. Geometry is
in pixels of the stored photographs: a warp is a matrix [2, 3] from output coordinates (-0.5 to 0.5) to source pixels.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from training.degradation import blurred, compressed
from training.distillation import Distillation
from training.prepared import SIDE
from training.sampling import INPUTS


class Augmentation(keras.layers.Layer):  # type: ignore[misc]
    """Drawn numbers (`INPUTS`, each [N, ...]) -> changed photographs, uint8 RGB [N, px, px, 3].

    Holds all photographs of a split in the backend's memory: 64 KiB each.
    """

    def __init__(self, rgba: NDArray[np.uint8]) -> None:
        super().__init__(name="augmentation", trainable=False, dtype="float32")
        pixels = np.reshape(rgba, (-1, 4))
        self.pixels = keras.Variable(pixels, trainable=False, dtype="uint8", name="pixels")
        self.random = keras.random.SeedGenerator(0)

    def call(self, drawn: dict[str, Any], px: int) -> Any:
        """Change one batch of photographs."""
        image = self._on_background(drawn, px)
        image = _recoloured(image, drawn)
        image = blurred(image, drawn["blur"])
        image = image + _each(drawn["noise"]) * self._normal(ops.shape(image))
        image = ops.clip(image, 0, 255)
        image = compressed(image, drawn["quality"])
        share = _each(drawn["share"])
        return ops.cast(ops.round(image * share + ops.flip(image, 0) * (1 - share)), "uint8")

    def _on_background(self, drawn: dict[str, Any], px: int) -> Any:
        leaf = self._warped(drawn["leaf"], drawn["warp"], px)
        moved = ops.concatenate([drawn["warp"][..., :2], drawn["warp"][..., 2:] + drawn["shadow"][..., None]], -1)
        shadow = self._warped(drawn["leaf"], moved, px)[..., 3:] / 255
        scene = self._warped(drawn["scene"], drawn["scene_warp"], px)[..., :3]
        flat = _graded(drawn["corners"], px)
        flat = flat + _each(drawn["grain"]) * self._normal((*ops.shape(flat)[:3], 1))
        under = ops.where(_each(drawn["flat"]) > 0, ops.clip(flat, 0, 255), scene)
        present = _each(drawn["present"])
        under = under * (1 - _each(drawn["shade"]) * present * blurred(shadow, 2.0 * px / SIDE))
        opaque = ops.where(_each(drawn["pasted"]) > 0, present * leaf[..., 3:] / 255, 1.0)
        return leaf[..., :3] * opaque + under * (1 - opaque)

    def _warped(self, index: Any, warp: Any, px: int) -> Any:
        """Sample photographs bilinearly, mirrored beyond their borders; float [N, px, px, 4]."""
        along = (ops.arange(px, dtype="float32") + 0.5) / px - 0.5
        at = warp[:, :, :1, None] * along[None, None, None, :] + warp[:, :, 1:2, None] * along[None, None, :, None]
        at = ops.abs(at + warp[:, :, 2:, None] - 0.5)
        at = ops.clip(SIDE - 1 - ops.abs(SIDE - 1 - at), 0, SIDE - 1)
        low = ops.minimum(ops.floor(at), SIDE - 2)
        right, below = ops.split((at - low)[..., None], 2, axis=1)
        low = ops.cast(low, "int32")
        first = ops.reshape(index, (-1, 1, 1)) * (SIDE * SIDE) + low[:, 1] * SIDE + low[:, 0]

        def tap(offset: int) -> Any:
            return ops.cast(ops.take(self.pixels, first + offset, axis=0), "float32")

        right, below = right[:, 0], below[:, 0]
        above = tap(0) * (1 - right) + tap(1) * right
        return above * (1 - below) + (tap(SIDE) * (1 - right) + tap(SIDE + 1) * right) * below

    def _normal(self, shape: Any) -> Any:
        return keras.random.normal(shape, seed=self.random)


def augmented(
    network: keras.Model, augmentation: Augmentation, px: int, distillation: Distillation | None = None
) -> keras.Model:
    """The network behind the augmentation: drawn numbers -> its outputs for images of side `px`."""
    drawn = {name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in INPUTS.items()}
    images = augmentation(drawn, px=px)
    outputs = network(images)
    if distillation:
        outputs = {**outputs, "logits": distillation(images, outputs["logits"], drawn["tomato"])}
    return keras.Model(drawn, outputs, name=f"augmented_{px}")


def _each(value: Any) -> Any:
    return ops.reshape(value, (-1, 1, 1, 1))


def _graded(corners: Any, px: int) -> Any:
    """Colours between those of the four corners [N, 2, 2, 3], float [N, px, px, 3]."""
    along = (ops.arange(px, dtype="float32") + 0.5) / px
    rows = corners[:, :1] + (corners[:, 1:] - corners[:, :1]) * along[None, :, None, None]
    return rows[:, :, :1] + (rows[:, :, 1:] - rows[:, :, :1]) * along[None, None, :, None]


def _recoloured(image: Any, drawn: dict[str, Any]) -> Any:
    """Other saturation, contrast (about the mean) and gain per channel."""
    grey = ops.mean(image, axis=-1, keepdims=True)
    mean = ops.mean(grey, axis=(1, 2), keepdims=True)
    image = (grey + (image - grey) * _each(drawn["saturation"]) - mean) * _each(drawn["contrast"]) + mean
    return ops.clip(image * drawn["gain"][:, None, None, :], 0, 255)
