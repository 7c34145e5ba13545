import numpy as np
import pytest

keras = pytest.importorskip("keras")

from training.prepared import prepare  # noqa: E402
from training.settling import settle  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]


def test_statistics_that_do_not_fit_are_taken_anew(tiny, leaves, tmp_path) -> None:
    from stream_workers.engines.networks import build_network

    network = build_network(tiny, px=64)
    layers = [
        layer
        for part in network.layers
        if isinstance(part, keras.Model)
        for layer in part.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert layers
    for layer in layers:
        layer.moving_variance.assign(np.full(layer.moving_variance.shape, 1e6, np.float32))
    weights = [np.asarray(weight) for weight in network.trainable_weights]
    settle(network, prepare(leaves / "train.zip", tmp_path / "train"), 64)
    assert all(float(np.max(layer.moving_variance)) < 1e6 / 10 for layer in layers)
    for weight, kept in zip(network.trainable_weights, weights, strict=True):
        np.testing.assert_array_equal(weight, kept)
