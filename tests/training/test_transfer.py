import numpy as np
import pytest

keras = pytest.importorskip("keras")

from stream_workers.engines.networks import BACKBONES, build_network  # noqa: E402
from training.transfer import load_backbone  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]


def test_a_pretrained_resnet_gives_the_same_features_though_ours_scales_pixels_itself() -> None:
    """Random weights stand in for ImageNet's, which are a download: the arithmetic is the same."""
    pretrained = BACKBONES["resnet50"](include_top=False, weights=None)
    for layer in pretrained.layers:
        if layer.name.endswith("_bn"):
            layer.set_weights([np.random.default_rng(0).uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    network = build_network("resnet50", px=64)
    load_backbone(network, pretrained)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    expected = pretrained(keras.applications.resnet.preprocess_input(pixels.astype("float32")), training=False)
    ours = keras.Model(network.input, network.get_layer("features").output)
    got = ours(pixels, training=False)
    np.testing.assert_allclose(got, expected, rtol=0.1, atol=0.05 * float(np.abs(expected).max()))
