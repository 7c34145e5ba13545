"""From an image event's JPEG to the network's input and the drift features; training reads its images here too."""

import io
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from schemas.errors import NotAnImageError, TruncatedImageError
from schemas.imagefile import MAX_PIXELS, open_image
from schemas.jpeg import baseline
from schemas.prediction import Features

Pixels = npt.NDArray[np.uint8]

_REMEDY: Final = "Produce images as schemas.normalisation makes them."
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


LARGER: Final = 1.5
"""Sides of the network's input that the decoder leaves at least, where the image has them, for a closer look."""


class Decoded(NamedTuple):
    """The centre square of an image, uint8 RGB."""

    pixels: Pixels
    """[px, px, 3]: the network's input."""
    larger: Pixels
    """[side, side, 3], side at most 2 px: the same before it was resized."""
    features: Features
    """The means drift is measured on."""


def decode(value: bytes, px: int) -> Decoded:
    """Decode a JPEG to its centre square, `px` pixels each side.

    The JPEG decoder halves the picture while it stays at least half as large again (draft mode), box averaging takes it
    to twice the size where it is still larger, and bilinear antialiased resampling does the rest. Raises
    NotAnImageError, TruncatedImageError or ImageTooLargeError.
    """
    try:
        with _loaded(value, round(LARGER * px)) as image:
            larger = centre_square(image.convert("RGB"), min(*image.size, 2 * px))
            square = larger.resize((px, px), Image.Resampling.BILINEAR)
    except (OSError, SyntaxError, ValueError, IndexError) as error:
        msg = f"the JPEG can't be decoded: {error}"
        raise TruncatedImageError(msg, _REMEDY) from error
    pixels = np.asarray(square)
    return Decoded(pixels, np.asarray(larger), _features(pixels))


def _loaded(value: bytes, px: int) -> Image.Image:
    """An event's JPEG, halved while it keeps px pixels a side.

    What another producer made is read within the budget of uploads, and only if it is whole.
    """
    size = baseline(value)
    if size and size.width * size.height <= MAX_PIXELS:
        image: Image.Image = Image.open(io.BytesIO(value), formats=("JPEG",))
        image.draft("RGB", (px, px))
        return image
    if value[:3] != b"\xff\xd8\xff":
        msg = "the value is not a JPEG" if value else "the value is empty"
        raise NotAnImageError(msg, _REMEDY)
    file = open_image(value, scaled=False)
    file.image.draft("RGB", (px, px))
    return file.load()


def centre_square(image: Image.Image, px: int) -> Image.Image:
    """The largest centred square of an RGB image, resized to `px` x `px`."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return image.resize((px, px), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)


def _features(square: Pixels) -> Features:
    """By products of the pixels [px, px, 3]: twice as fast as NumPy's means. Luma is Rec. 601's, as in JPEG."""
    pixels = square.reshape(-1, 3).astype(np.float32)
    luma, count = pixels @ _LUMA, len(pixels)
    red, green, blue = np.ones(count, np.float32) @ pixels / count
    brightness = float(luma.sum()) / count
    deviation = luma - np.float32(brightness)
    return Features(
        brightness=round(brightness, 2),
        contrast=round((float(deviation @ deviation) / count) ** 0.5, 2),
        red=round(float(red), 2),
        green=round(float(green), 2),
        blue=round(float(blue), 2),
    )
