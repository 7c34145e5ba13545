"""Starting from weights that exist."""

from pathlib import Path

import keras
import numpy as np

from schemas.card import CARD_FILE, ModelCard
from stream_workers.engines.networks import BACKBONES, IMAGENET_STD, build_network, load_weights
from training.evaluation import find_model
from training.lite0 import load_lite0

SCRATCH, IMAGENET, LITE0 = "scratch", "imagenet", "lite0"


def initialise(network: keras.Model, init: str, models: Path) -> None:
    """Give a fresh network its first weights; `scratch` leaves it as it is.

    `imagenet` downloads Keras's; a `.weights.h5` file, of any backend, or a stored model
    (`NAME@VERSION`, or its folder) is read.
    Raises ModelError for a model that is not there.
    """
    if init == LITE0:
        load_lite0(backbone_of(network))
    elif init == IMAGENET:
        load_backbone(network, BACKBONES[network.name](include_top=False, weights="imagenet"))
    elif init.endswith(".weights.h5"):
        stored = build_network(network.name)  # a file names layers by class, and training replaces classes
        stored.load_weights(init)
        network.set_weights(stored.get_weights())
    elif init != SCRATCH:
        _continue(network, stored_network(init, models))


def stored_network(reference: str, models: Path) -> keras.Model:
    """The network of a stored model, `NAME@VERSION` or its folder, in the precision set now.

    Raises ModelError where there is none.
    """
    directory = Path(reference) if Path(reference, CARD_FILE).exists() else find_model(reference, models)
    card = ModelCard.load(directory)
    network = build_network(card.architecture, outputs=len(card.labels))
    load_weights(network, directory)
    return network


def _continue(network: keras.Model, stored: keras.Model) -> None:
    """Copy all weights; logits that the stored network lacks keep their first ones."""
    for layer, other in zip(network.layers, stored.layers, strict=True):
        weights = other.get_weights()
        if layer.name == "evidence":
            for ours, theirs in zip(fresh := layer.get_weights(), weights, strict=True):
                ours[..., : theirs.shape[-1]] = theirs
            weights = fresh
        layer.set_weights(weights)


def load_backbone(network: keras.Model, pretrained: keras.Model) -> None:
    """Copy the weights of keras.applications' network, layer by layer.

    ResNet50's ImageNet weights want BGR with the mean taken off and no scaling; ours sees RGB scaled to unit spread,
    so the first kernel is turned and scaled instead.
    """
    for layer in backbone_of(network).layers:
        if not layer.weights:
            continue
        weights = pretrained.get_layer(layer.name).get_weights()
        if layer.name == "conv1_conv":
            spread = 255 * np.array(IMAGENET_STD, np.float32)
            weights[0] = weights[0][:, :, ::-1] * spread[:, None]
        layer.set_weights(weights)


def backbone_of(network: keras.Model) -> keras.Model:
    """The nested model that computes the features."""
    return next(layer for layer in network.layers if isinstance(layer, keras.Model))
