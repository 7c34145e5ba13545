"""The networks: the one place where their architecture stands. Backend-neutral Keras 3, no other dependency.

image uint8 [N, px, px, 3] RGB -> logits float32 [N, 11], gate float32 [N], evidence float32 [N, h, w, 11]: the ten
labels, and a tomato leaf with any other problem (models up to version 5 have the ten only).

The head is a 1x1 convolution followed by global average pooling, so `evidence` is an exact class activation map:
its spatial mean is `logits` (Lin et al. 2013, arXiv:1312.4400; Zhou et al. 2016, arXiv:1512.04150).
`gate` is the logit that the photograph shows a tomato leaf; it has a sigmoid of its own, so that the softmax over the
ten classes stays calibrated.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import keras
import numpy as np

from schemas.card import WEIGHTS_FILE
from schemas.labels import OUTPUTS

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

BACKBONES: Final[dict[str, Any]] = {
    "resnet50": keras.applications.ResNet50,
    "efficientnetb0": keras.applications.EfficientNetB0,
}

BATCH_NORM_MOMENTUM: Final = 0.93
"""Keras's 0.99 lags behind for hundreds of steps, too slow for runs of a few thousand."""


def build_network(
    architecture: str,
    *,
    outputs: int = len(OUTPUTS),
    px: int | None = None,
    replace: Mapping[type[Any], type[Any]] = MappingProxyType({}),
) -> keras.Model:
    """Return the network with fresh weights and so many logits. `px=None` accepts any side that is a multiple of 32.

    `replace` maps layer classes to ones with the same weights (training has faster ones).
    Raises KeyError for an unknown architecture.
    """
    image = keras.Input((px, px, 3), dtype="uint8", name="image")
    backbone = _backbone(architecture, replace)
    features = backbone(_centre(architecture, image))
    features = keras.layers.Activation("linear", dtype="float32", name="features")(features)
    evidence = keras.layers.Conv2D(outputs, 1, dtype="float32", name="evidence")(features)
    logits = keras.layers.GlobalAveragePooling2D(dtype="float32", name="logits")(evidence)
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pooled")(features)
    gate = keras.layers.Dense(1, dtype="float32", name="gate_dense")(pooled)
    gate = keras.layers.Reshape((), dtype="float32", name="gate")(gate)
    return keras.Model(image, {"logits": logits, "gate": gate, "evidence": evidence}, name=architecture)


def load_weights(network: keras.Model, directory: Path) -> None:
    """Give a network a stored model's weights. Raises KeyError, ValueError or OSError where they do not fit."""
    with np.load(directory / WEIGHTS_FILE) as stored:
        network.set_weights([stored[str(index)].astype(np.float32) for index in range(len(stored.files))])


def _centre(architecture: str, image: Any) -> Any:
    """Pixels with mean about 0 and spread about 1; EfficientNet's own layers scale, so it takes 0 to 255."""
    if architecture == "efficientnetb0":
        return keras.layers.Rescaling(1.0, dtype="float32", name="pixels")(image)
    scale = [1 / (255 * std) for std in IMAGENET_STD]
    offset = [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="pixels")(image)


def _backbone(architecture: str, replace: Mapping[type[Any], type[Any]]) -> keras.Model:
    original = BACKBONES[architecture](include_top=False, weights=None, input_shape=(None, None, 3))

    def adapt(layer: Any) -> Any:
        """Rebuild a layer for training from scratch in few steps."""
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = BATCH_NORM_MOMENTUM
            if layer.name.endswith("_3_bn"):  # residual branches start at zero (Goyal et al. 2017, arXiv:1706.02677)
                config["gamma_initializer"] = "zeros"
        if architecture == "resnet50" and isinstance(layer, keras.layers.Conv2D):
            config["kernel_initializer"] = "he_normal"
        if isinstance(layer, keras.layers.Normalization):  # the identity, where no weights are loaded
            config |= {"mean": list(IMAGENET_MEAN), "variance": [std**2 for std in IMAGENET_STD]}
        if isinstance(layer, keras.layers.Dropout):  # stochastic depth of at most 0.1, half of EfficientNet's
            config["rate"] /= 2
        return replace.get(type(layer), type(layer)).from_config(config)

    return keras.models.clone_model(original, clone_function=adapt)
