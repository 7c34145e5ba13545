"""An image file, opened: what draws the image, and what the file says about it. Nothing is decoded yet.

Decoding has a budget, in megapixels, in scans, in pieces and in seconds, whatever the bytes are.
"""

import io
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile as PillowFile
from PIL.JpegImagePlugin import JpegImageFile

from schemas import colour, heif, jpeg, png
from schemas.completeness import is_whole, may_lack_rows
from schemas.errors import ImageTooLargeError, NotAnImageError, TruncatedImageError
from schemas.exif import Exif
from schemas.formats import sniff
from schemas.jpeg import Jpeg

MAX_PIXELS: Final = 2**26
"""Of an image that is held in memory whole: 8192 x 8192, 67 megapixels; as much memory as 200 MB."""
MAX_COPIED_PIXELS: Final = 2**25
"""Of a WebP or AVIF image, of which Pillow makes several copies, and lets no other thread run meanwhile."""
MAX_SCALED_PIXELS: Final = 2**28
"""Of a JPEG that is scaled while it is decoded, so never whole in memory: telephones write 200 megapixels."""
MAX_SCANS: Final = 100
"""Of a JPEG; encoders write about ten."""
MAX_SCANNED_PIXELS: Final = 2**30
"""Pixels times scans: a hundred bytes more are another scan, which is a walk over every block."""
MAX_READS: Final = 5000
"""How often a decoder may ask for more of the file: it does so for each piece, of which a file can have millions."""
MAX_SECONDS: Final = 20
"""After so long a decoder gets nothing more."""
_SMALLER: Final = "Send a smaller version; the models look at a small one anyway."
_AGAIN: Final = "Copy or download it again; if it fails again, open it in an image program and save it as JPEG."


class ImageFile(NamedTuple):
    """An image that is not decoded yet, and how it is made upright and brought to sRGB."""

    image: PillowFile
    exif: Exif
    to_srgb: Callable[[Image.Image], Image.Image]
    """Takes L, LA, RGB, RGBA and CMYK; gives any of them."""
    jpeg: Jpeg | None = None

    def load(self) -> Image.Image:
        """Decode it. Raises TruncatedImageError where rows are missing; else what the decoder raises."""
        self.image.load()
        found = self.jpeg
        if found and (not found.ended or may_lack_rows(self.image)) and not is_whole(found.data):
            msg = "the JPEG is incomplete: its data ends before the image does"
            raise TruncatedImageError(msg, "Copy or download it again, or take another photograph.")
        return self.image


def open_image(data: bytes, *, scaled: bool) -> ImageFile:
    """Read a file's header. `scaled`: it will be decoded to a smaller size (`Image.draft`).

    Raises NotAnImageError, TruncatedImageError, ImageTooLargeError, or what Pillow raises on damaged files.
    """
    kind = sniff(data)
    if kind == "JPEG":
        return _jpeg(data, scaled=scaled)
    if kind == "PNG":
        return _png(data)
    if kind == "HEIF":
        return _heif(data)
    if kind == "AVIF":
        return _avif(data)
    image = _opened(_with_riff_size(data) if kind == "WEBP" else data, kind)
    _check_pixels(image, MAX_COPIED_PIXELS if kind == "WEBP" else MAX_PIXELS)
    if kind == "BMP" and image.tile[0].codec_name != "raw":
        msg = "this is a run-length encoded BMP"  # which Pillow unpacks byte by byte, in Python
        raise NotAnImageError(msg, "Save it as PNG or JPEG.")
    return ImageFile(image, Exif.read(image.info.get("exif", b"")), _by_profile(image))


def _jpeg(data: bytes, *, scaled: bool) -> ImageFile:
    found = jpeg.read(data)
    image = _opened(found.data, "JPEG")
    buffered = found.progressive or found.scans > 1
    _check_pixels(image, MAX_SCALED_PIXELS if scaled and not buffered else MAX_PIXELS)
    if found.scans > min(MAX_SCANS, max(1, MAX_SCANNED_PIXELS // (image.width * image.height))):
        msg = f"the JPEG of {_megapixels(image)} megapixels has {found.scans} scans, more than are decoded"
        raise ImageTooLargeError(msg, "Save it again as an ordinary JPEG.")
    to_srgb = partial(colour.from_icc, profile=found.icc) if found.icc else _as_it_is
    return ImageFile(image, Exif.read(found.exif), to_srgb, found)


def _png(data: bytes) -> ImageFile:
    found = png.read(data)
    image = _opened(found.data, "PNG")
    _check_pixels(image, MAX_PIXELS)
    said, to_srgb = found.said, _as_it_is
    if len(said.get(b"cICP", b"")) == 4:
        to_srgb = partial(_from_code_points, code_points=(said[b"cICP"][0], said[b"cICP"][1]))
    elif profile := found.icc:
        to_srgb = partial(colour.from_icc, profile=profile)
    elif b"sRGB" not in said and len(said.get(b"gAMA", b"")) == 4:
        to_srgb = partial(_from_gamma, gamma=int.from_bytes(said[b"gAMA"]) / 1e5, chromaticities=said.get(b"cHRM", b""))
    return ImageFile(image, Exif.read(said.get(b"eXIf", b"")), to_srgb)


def _heif(data: bytes) -> ImageFile:
    """Turned already: HEIF has its own properties for that, and browsers ignore what EXIF says besides."""
    from pillow_heif import register_heif_opener  # noqa: PLC0415  30 ms that only HEIC uploads pay

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    boxes = heif.read(data)
    image = _opened(boxes.data, "HEIF")
    _check_pixels(image, MAX_PIXELS)
    said = image.info.get("nclx_profile")
    code_points = (int(said["color_primaries"]), int(said["transfer_characteristics"])) if said else None
    return ImageFile(image, Exif.read(boxes.exif)._replace(turn=None), _by_profile(image, code_points))


def _avif(data: bytes) -> ImageFile:
    """Turned as HEIF is, which Pillow passes on as EXIF."""
    boxes = heif.read(data)
    image = _opened(boxes.data, "AVIF")
    _check_pixels(image, MAX_COPIED_PIXELS)
    turn = Exif.read(image.info.get("exif", b"")).turn
    return ImageFile(image, Exif.read(boxes.exif)._replace(turn=turn), _by_profile(image, boxes.code_points))


def _with_riff_size(data: bytes) -> bytes:
    """A WebP file whose first size is too large, or that lacks the last byte of padding, as its chunks are."""
    size = len(data) - 8 + len(data) % 2
    if int.from_bytes(data[4:8], "little") in range(12, size + 1):
        return data
    return b"".join((data[:4], size.to_bytes(4, "little"), data[8:], bytes(len(data) % 2)))


def _by_profile(image: Image.Image, code_points: tuple[int, int] | None = None) -> Callable[[Image.Image], Image.Image]:
    """An ICC profile counts before code points."""
    if profile := image.info.get("icc_profile"):
        return partial(colour.from_icc, profile=profile)
    return partial(_from_code_points, code_points=code_points) if code_points else _as_it_is


def _as_it_is(image: Image.Image) -> Image.Image:
    return image


def _from_code_points(image: Image.Image, code_points: tuple[int, int]) -> Image.Image:
    return colour.from_code_points(_coloured(image), *code_points)


def _from_gamma(image: Image.Image, gamma: float, chromaticities: bytes) -> Image.Image:
    """White comes first in a cHRM chunk, red, green and blue follow; x and y each, times 100,000."""
    values = [int.from_bytes(chromaticities[at : at + 4]) / 1e5 for at in range(0, 32, 4)]
    stated = len(chromaticities) == 32 and min(values) > 0
    return colour.from_gamma(_coloured(image), gamma, (*values[2:], *values[:2]) if stated else None)


def _coloured(image: Image.Image) -> Image.Image:
    return image.convert({"L": "RGB", "LA": "RGBA"}.get(image.mode, image.mode))


class _Budget(io.BytesIO):
    """The file as a decoder reads it, which it may do only so often and so long."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MAX_READS
        self._until = time.monotonic() + MAX_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0 or time.monotonic() > self._until:
            msg = "the file is made of too many pieces" if self._left < 0 else "the image takes too long to decode"
            raise ImageTooLargeError(msg, _AGAIN)
        return super().read(size)


def _opened(data: bytes, kind: str) -> PillowFile:
    try:
        if kind == "JPEG":
            return JpegImageFile(_Budget(data))  # `Image.open` refuses large ones
        return Image.open(_Budget(data), formats=(kind,))
    except (UnidentifiedImageError, SyntaxError):
        msg = f"the {'HEIC' if kind == 'HEIF' else kind} file is incomplete or damaged"
        raise TruncatedImageError(msg, _AGAIN) from None
    except Image.DecompressionBombError:
        msg = f"the image has more than {MAX_PIXELS // 10**6} megapixels"
        raise ImageTooLargeError(msg, _SMALLER) from None


def _check_pixels(image: Image.Image, limit: int) -> None:
    if image.width * image.height > limit:
        kind = "" if limit == MAX_SCALED_PIXELS else "of this kind "
        msg = f"the image has {_megapixels(image)} megapixels, at most {math.floor(limit / 1e5) / 10} {kind}are decoded"
        raise ImageTooLargeError(msg, _SMALLER)


def _megapixels(image: Image.Image) -> float:
    """Rounded up, so that what is above a limit never reads like the limit."""
    return math.ceil(image.width * image.height / 1e5) / 10
