import numpy as np
import pytest

keras = pytest.importorskip("keras")

from stream_workers.engines.networks import BACKBONES, build_network  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]


@pytest.mark.parametrize("architecture", BACKBONES)
def test_evidence_averages_to_the_logits_exactly(architecture: str) -> None:
    network = build_network(architecture, px=96)
    random = np.random.default_rng(0)
    for weight in network.get_layer("evidence").weights:
        weight.assign(random.normal(0, 0.1, weight.shape))
    outputs = network(random.integers(0, 256, (2, 96, 96, 3)).astype(np.uint8), training=False)
    logits, gate, evidence = (np.asarray(outputs[name]) for name in ("logits", "gate", "evidence"))
    assert (logits.shape, gate.shape, evidence.shape) == ((2, 11), (2,), (2, 3, 3, 11))
    np.testing.assert_allclose(evidence.mean(axis=(1, 2)), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", BACKBONES)
def test_pixels_are_centred_inside(architecture: str) -> None:
    """Grey in the mean colour of photographs reaches the first convolution as about zero."""
    network = build_network(architecture, px=32)
    backbone = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    first = next(layer for layer in backbone.layers if isinstance(layer, keras.layers.Conv2D))
    reached = keras.Model(backbone.input, first.input)
    mean = np.tile(np.array([124, 116, 104], np.uint8), (1, 32, 32, 1))
    before = keras.Model(network.input, network.get_layer("pixels").output)(mean)
    assert float(np.abs(np.asarray(reached(before))).max()) < 0.02


def test_resnet_starts_with_silent_residual_branches() -> None:
    backbone = next(layer for layer in build_network("resnet50").layers if isinstance(layer, keras.Model))
    last = [layer for layer in backbone.layers if layer.name.endswith("_3_bn")]
    assert len(last) == 16
    assert not any(np.asarray(layer.gamma).any() for layer in last)
