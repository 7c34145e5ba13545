import numpy as np
import pytest

keras = pytest.importorskip("keras")
if keras.backend.backend() != "tensorflow":
    pytest.skip("only TensorFlow has these kernels", allow_module_level=True)

import tensorflow as tf  # noqa: E402

from training.kernels import FusedBatchNormalization, TapwiseDepthwiseConv2D  # noqa: E402


def gradients(layer: object, x: tf.Tensor) -> list[np.ndarray]:
    assert callable(layer)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.sin(layer(x, training=True)))
    variables = [weight.value for weight in layer.trainable_weights]  # type: ignore[attr-defined]
    return [loss.numpy(), *(gradient.numpy() for gradient in tape.gradient(loss, [x, *variables]))]


def test_fused_batch_normalisation_trains_as_keras_does() -> None:
    x = tf.random.stateless_normal((16, 4, 4, 8), (1, 2)) * 3 + 1
    ours, theirs = FusedBatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    for mine, other in zip(gradients(ours, x), gradients(theirs, x), strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-3)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=0.01)  # n or n - 1
    np.testing.assert_allclose(ours(x, training=False), theirs(x, training=False), rtol=0.01, atol=0.01)


def test_a_frozen_layer_keeps_its_statistics() -> None:
    layer = FusedBatchNormalization()
    layer.build((None, 4, 4, 8))
    layer.trainable = False
    layer(tf.ones((2, 4, 4, 8)), training=True)
    assert not layer.moving_mean.numpy().any()


@pytest.mark.parametrize(("side", "channels"), [(2, 32), (4, 32), (3, 1024), (7, 1024)])
def test_the_filter_gradient_is_the_same(side: int, channels: int) -> None:
    x = tf.random.stateless_normal((4, side, side, channels), (3, 4))
    ours = TapwiseDepthwiseConv2D(5, padding="same", use_bias=False)
    theirs = keras.layers.DepthwiseConv2D(5, padding="same", use_bias=False)
    ours.build(x.shape)
    theirs.build(x.shape)
    ours.set_weights(theirs.get_weights())
    for mine, other in zip(gradients(ours, x), gradients(theirs, x), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("side", "size", "stride", "padding"), [(7, 5, 1, "same"), (9, 3, 2, "valid"), (8, 5, 2, "same")]
)
def test_tap_by_tap_a_depthwise_convolution_is_the_same(side: int, size: int, stride: int, padding: str) -> None:
    x = tf.random.stateless_normal((2, side, side, 6), (5, 6))
    ours, theirs = (
        kind(size, strides=stride, padding=padding, use_bias=False)
        for kind in (TapwiseDepthwiseConv2D, keras.layers.DepthwiseConv2D)
    )
    theirs.build(x.shape)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours._by_taps(x), theirs(x), atol=1e-5)
