"""A network small enough to train in seconds."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def known_to_networks() -> Iterator[str]:
    """Name of the architecture, known to the network builder meanwhile."""
    from stream_workers.engines import networks

    with mock.patch.dict(networks.BACKBONES, {"tiny": _backbone}):
        yield "tiny"


def _backbone(*, include_top: bool, weights: Any, input_shape: Any) -> Any:
    import keras

    image = keras.Input(input_shape)
    x = keras.layers.Conv2D(16, 5, 4, padding="same", use_bias=False, name="stem")(image)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    x = keras.layers.Activation("relu")(x)
    x = keras.layers.Conv2D(32, 3, 4, padding="same", name="deep")(x)
    x = keras.layers.BatchNormalization(name="deep_bn")(x)
    return keras.Model(image, keras.layers.Activation("relu")(x), name="backbone")
