"""What a player shows of a decoded video frame: colours, proportions, orientation."""

import struct
from fractions import Fraction
from typing import Any, Final

import numpy as np
from av.error import FFmpegError
from PIL import Image

from producer_api.ingestion.cropping import WHOLE, Cropping
from producer_api.ingestion.tone import BT709, BT2020, HLG, PQ, in_srgb
from schemas.errors import ImageTooLargeError, NotAnImageError
from schemas.imagefile import MAX_PIXELS

UNSPECIFIED: Final = 2
BT601: Final = 5
FULL_RANGE: Final = 2
BT2020_CONSTANT: Final = 10
READABLE_MATRICES: Final = {1, 4, 5, 6, 7, 9}
"""Matrix coefficients (ITU-T H.273, table 4) that FFmpeg's scaler applies; it takes all others for BT.601."""
HD_WIDTH, HD_HEIGHT = 1280, 720
WIDEST_PIXEL: Final = 8
"""Pixels wider or narrower than this are a mistake in the file."""


def render(frame: Any, pixel_aspect: Fraction | None = None, cropped: Cropping = WHOLE) -> Image.Image:
    """An upright sRGB picture with square pixels.

    `pixel_aspect` is the width of a pixel divided by its height, `cropped` what the file hides. Raises ImageError.
    """
    if frame.width * frame.height > MAX_PIXELS:
        msg = f"the frame has {frame.width * frame.height / 1e6:.0f} megapixels"
        raise ImageTooLargeError(msg, f"At most {MAX_PIXELS // 10**6} megapixels are accepted.")
    image = in_srgb(_rgb(frame), frame.color_trc, frame.color_primaries)
    if frame.interlaced_frame and image.height > 1:
        image = _one_field(image)
    if cropped != WHOLE and (box := cropped.box(image.size)):
        image = image.crop(box)
    return _turned(_square(image, pixel_aspect), _display_matrix(frame))


def _rgb(frame: Any) -> Image.Image:
    transparent = any(component.is_alpha for component in frame.format.components)
    matrix = None if frame.format.is_rgb else _matrix(frame)
    try:
        converted = frame.reformat(
            format="rgba" if transparent else "rgb24",
            src_colorspace=matrix,
            src_color_range=frame.color_range or None,
            dst_color_range=FULL_RANGE,
        )
    except (FFmpegError, ValueError):
        msg = f"the video's pixels are coded in a way that is not read here ({frame.format.name})"
        raise NotAnImageError(msg, "Export it as an ordinary video (H.264, SDR).") from None
    if not transparent:
        rgb: Image.Image = converted.to_image()
        return rgb
    picture = Image.fromarray(converted.to_ndarray(), "RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _matrix(frame: Any) -> int:
    """How luma and chroma make RGB. Untagged HD is BT.709 and SD is BT.601, as players hold it."""
    matrix = frame.colorspace
    if matrix == UNSPECIFIED:
        if frame.color_trc == UNSPECIFIED and {"DOVI_METADATA", "DOVI_RPU_BUFFER"} & _side_data(frame).keys():
            msg = "the video is in Dolby Vision without a picture for other players (profile 5)"
            raise NotAnImageError(msg, "Export it as an ordinary video (SDR or HDR10).")
        if frame.color_primaries == BT2020 or frame.color_trc in {PQ, HLG}:
            return BT2020
        hd = frame.width >= HD_WIDTH or frame.height >= HD_HEIGHT or frame.color_primaries == BT709
        return BT709 if hd else BT601
    if matrix == BT2020_CONSTANT:
        return BT2020
    if matrix not in READABLE_MATRICES:
        msg = f"the video's colours are coded in a way that is not read here (matrix coefficients {matrix} of H.273)"
        raise NotAnImageError(msg, "Export it as an ordinary video (BT.709).")
    return int(matrix)


def _one_field(image: Image.Image) -> Image.Image:
    """Every second line, stretched: the two fields were taken at different times."""
    return Image.fromarray(np.asarray(image)[::2]).resize(image.size, Image.Resampling.BILINEAR)


def _square(image: Image.Image, pixel_aspect: Fraction | None) -> Image.Image:
    if not pixel_aspect or pixel_aspect == 1 or not Fraction(1, WIDEST_PIXEL) <= pixel_aspect <= WIDEST_PIXEL:
        return image
    if pixel_aspect > 1:
        return image.resize((round(image.width * pixel_aspect), image.height), Image.Resampling.BILINEAR)
    return image.resize((image.width, round(image.height / pixel_aspect)), Image.Resampling.BILINEAR)


def _turned(image: Image.Image, matrix: tuple[int, ...] | None) -> Image.Image:
    """As the matrix says, to the nearest of the eight ways to lay a picture down: x' = ax + cy, y' = bx + dy."""
    if not matrix:
        return image
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) < abs(b) + abs(c):
        image, a, d = image.transpose(Image.Transpose.TRANSPOSE), c, b
    if a < 0:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if d < 0 else image


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    data = _side_data(frame).get("DISPLAYMATRIX")
    return struct.unpack("=9i", data) if data and len(data) == 36 else None


def _side_data(frame: Any) -> dict[str, bytes]:
    return {each.type.name: bytes(each) for each in frame.side_data}
