"""Blur and JPEG artefacts as cameras add them, in batches, by Keras's backend."""

from typing import Any, Final

import numpy as np
from keras import ops

REACH: Final = 4
"""Pixels a blur reaches to either side: standard deviations up to 2."""
LUMA: Final = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
CHROMA: Final = np.full((8, 8), 99, np.float32)
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
"""Quantisation tables of ITU-T T.81, annex K, for quality 50."""
_K, _N = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
COSINES: Final = (np.sqrt(np.where(_K, 2, 1) / 8) * np.cos((2 * _N + 1) * _K * np.pi / 16)).astype(np.float32)
"""The orthonormal DCT-II of eight samples."""
TO_YCBCR: Final = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
"""ITU-T T.871."""


def blurred(image: Any, deviation: Any) -> Any:
    """Convolve [N, h, w, c] with Gaussians of standard deviation [N] or one for all, in pixels; 0 changes nothing."""
    distance = ops.arange(REACH + 1, dtype="float32")
    spread = ops.maximum(ops.reshape(ops.convert_to_tensor(deviation, "float32"), (-1, 1)), 0.05)
    weights = ops.exp(-((distance / spread) ** 2) / 2)
    weights = weights / (2 * ops.sum(weights, axis=1, keepdims=True) - 1)
    for axis in (1, 2):
        size = image.shape[axis]
        border = [[0, 0]] * 4
        border[axis] = [REACH, REACH]
        padded = ops.pad(image, border, mode="reflect")
        total = 0.0
        for offset in range(-REACH, REACH + 1):
            window = [slice(None)] * 4
            window[axis] = slice(REACH + offset, REACH + offset + size)
            total = total + padded[tuple(window)] * ops.reshape(weights[:, abs(offset)], (-1, 1, 1, 1))
        image = total
    return image


def compressed(image: Any, quality: Any) -> Any:
    """What JPEG of quality [N] (1 to 100, 4:2:0) leaves of RGB [N, h, w, 3]; 0 leaves it as it is.

    Sides must be multiples of 16 for whole blocks. Source: ITU-T T.81; the scale of the tables is libjpeg's.
    """
    quality = ops.reshape(quality, (-1, 1, 1, 1))
    scale = ops.where(quality < 50, 50 / ops.maximum(quality, 1), 2 - quality / 50)
    ycbcr = image @ ops.convert_to_tensor(TO_YCBCR.T)
    luma = _quantised(ycbcr[..., 0] - 128, LUMA, scale) + 128
    halved = ops.average_pool(ycbcr[..., 1:], 2, 2, data_format="channels_last")
    chroma = [_quantised(halved[..., channel], CHROMA, scale) for channel in (0, 1)]
    whole = [ops.repeat(ops.repeat(plane, 2, axis=1), 2, axis=2) for plane in chroma]
    decoded = ops.stack([luma, *whole], axis=-1) @ ops.convert_to_tensor(np.linalg.inv(TO_YCBCR).T)
    return ops.where(quality > 0, ops.clip(decoded, 0, 255), image)


def _quantised(plane: Any, table: Any, scale: Any) -> Any:
    """Round the coefficients of each 8x8 block of [N, h, w] to multiples of the scaled table."""
    _, height, width = plane.shape
    cosines = ops.convert_to_tensor(COSINES)
    steps = ops.clip(ops.round(ops.convert_to_tensor(table) * scale[..., 0]), 1, 255)[:, None, :, None, :]
    blocks = ops.reshape(plane, (-1, height // 8, 8, width // 8, 8))
    coefficients = ops.einsum("uy,vx,nayox->nauov", cosines, cosines, blocks)
    coefficients = ops.round(coefficients / steps) * steps
    return ops.reshape(ops.einsum("uy,vx,nauov->nayox", cosines, cosines, coefficients), (-1, height, width))
