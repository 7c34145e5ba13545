"""Layers whose training step is faster than Keras's own; weights and results are their parents'.

Measured on one AVX-512 core, EfficientNetB0, batch 32, 64 px: 85 images/s with Keras's layers, 110 with fused batch
normalisation; the filter gradient of the 5x5 depthwise convolutions took a third of what remained.
"""

from pathlib import Path
from typing import Any, Final

import keras


def multiplies_bfloat16(architecture: str) -> bool:
    """Whether `mixed_bfloat16` pays: a CPU without instructions for it took over 8 s for a step of 2 s in float32.

    TensorFlow's depthwise convolutions lose by it on any CPU: EfficientNetB0 134 images/s, 179 in float32.
    """
    if keras.backend.backend() != "tensorflow":
        return True
    if architecture == "efficientnetb0":
        return False
    cpu = Path("/proc/cpuinfo")
    flags = set(cpu.read_text().split()) if cpu.exists() else set()
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalisation by TensorFlow's fused kernel; Keras makes several passes over memory."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise [N, h, w, c] over N, h and w; off training, as the parent."""
        if not (training and self.trainable) or keras.backend.backend() != "tensorflow" or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf  # noqa: PLC0415  absent under other backends

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        kept = self.momentum
        self.moving_mean.assign(self.moving_mean * kept + mean * (1 - kept))
        self.moving_variance.assign(self.moving_variance * kept + variance * (1 - kept))
        return outputs


class TapwiseDepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
    """Depthwise convolution computed tap by tap where that is faster: on JAX, and in TensorFlow's filter gradient.

    TensorFlow's kernel costs the same for a 2x2 map as for an 8x8 one: 20 ms for 1152 channels, against 3 ms here.
    On JAX, with two cores, EfficientNetB0 (batch 32, 64 px) learnt 30 images/s with Keras's layer, 127 with this.
    """

    def call(self, inputs: Any) -> Any:
        """Convolve [N, h, w, c]; only the gradient differs from the parent's."""
        if keras.backend.backend() == "jax":
            return self._by_taps(inputs)
        size, side, channels = self.kernel_size[0], inputs.shape[1], inputs.shape[-1]
        small = channels >= 1000 or (side is not None and side <= 4)
        if keras.backend.backend() != "tensorflow" or size != 5 or self.strides[0] != 1 or not small:
            return super().call(inputs)
        import tensorflow as tf  # noqa: PLC0415  absent under other backends

        options = {"strides": [1, 1, 1, 1], "padding": "SAME"}

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def convolve(x: Any, kernel: Any) -> Any:
            def gradient(upstream: Any) -> tuple[Any, Any]:
                towards_x = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                    input_sizes=tf.shape(x), filter=kernel, out_backprop=upstream, **options
                )
                return towards_x, tf.reshape(_taps(tf, x, upstream, size), kernel.shape)

            return tf.nn.depthwise_conv2d(x, kernel, **options), gradient

        return convolve(inputs, tf.convert_to_tensor(self.kernel))

    def _by_taps(self, inputs: Any) -> Any:
        """The sum over kernel positions of shifted inputs: XLA fuses it; its filter gradient is a sum per tap."""
        (rows, columns), stride = self.kernel_size, self.strides[0]
        height, width = inputs.shape[1:3]
        if self.padding == "same":
            out = [-(-side // stride) for side in (height, width)]
            missing = [
                max(0, (count - 1) * stride + size - side)
                for count, size, side in zip(out, self.kernel_size, (height, width), strict=True)
            ]
            inputs = keras.ops.pad(inputs, [[0, 0], *([gap // 2, gap - gap // 2] for gap in missing), [0, 0]])
        else:
            out = [(side - size) // stride + 1 for side, size in zip((height, width), self.kernel_size, strict=True)]
        kernel = keras.ops.cast(self.kernel, inputs.dtype)
        total = 0.0
        for row in range(rows):
            for column in range(columns):
                below, right = row + (out[0] - 1) * stride + 1, column + (out[1] - 1) * stride + 1
                seen = inputs[:, row:below:stride, column:right:stride]
                total = total + seen * kernel[row, column, :, 0]
        return total


def _taps(tf: Any, x: Any, upstream: Any, size: int) -> Any:
    """Filter gradient [size * size, c]: each tap's products, summed; taps that see only padding are zero."""
    reach = size // 2
    height, width = tf.unstack(tf.shape(x)[1:3])
    padded = tf.pad(x, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    side = x.shape[1]
    sums = []
    for row in range(size):
        for column in range(size):
            if side is not None and max(abs(row - reach), abs(column - reach)) >= side:
                sums.append(tf.zeros(x.shape[-1], x.dtype))
            else:
                seen = padded[:, row : row + height, column : column + width]
                sums.append(tf.reduce_sum(seen * upstream, [0, 1, 2]))
    return tf.stack(sums)


REPLACEMENTS: Final = {
    keras.layers.BatchNormalization: FusedBatchNormalization,
    keras.layers.DepthwiseConv2D: TapwiseDepthwiseConv2D,
}
"""For `build_network(replace=...)`."""
