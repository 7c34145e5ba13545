"""The network as training sees it."""

from typing import Any

import keras
from numpy.typing import NDArray

from stream_workers.engines.networks import build_network


def float_network(architecture: str, weights: list[NDArray[Any]], px: int | None = None) -> keras.Model:
    """The network in float32 and of Keras's own layers, however it was trained; for images of one size, if given."""
    keras.mixed_precision.set_global_policy("float32")
    network = build_network(architecture, px=px)
    trained_part(network).set_weights(weights)
    return network


def trained_part(network: keras.Model) -> keras.Model:
    """The network without its `evidence` output, which has no loss; it shares the layers."""
    return keras.Model(network.input, {name: network.output[name] for name in ("logits", "gate")})
