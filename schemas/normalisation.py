"""What makes any upload an image event's value: a small upright JPEG in sRGB without metadata.

Shared by the API, bulk ingestion and evaluation, so that all of them show the models the same pixels.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from threading import Lock
from typing import Final, NamedTuple

from PIL import Image

from schemas.completeness import decodes
from schemas.errors import ImageTooLargeError, NotAnImageError, TruncatedImageError
from schemas.imagefile import ImageFile, open_image
from schemas.jpeg import baseline
from schemas.topics import MAX_IMAGE_BYTES

MAX_SIDE: Final = 512
"""Longest side of an image event, pixels: four times the networks' input, enough for a person to look at."""
MAX_UPLOAD_BYTES: Final = 10 * 1024 * 1024
MIN_SIDE: Final = 32
"""Shortest side of an image event, pixels."""
QUALITIES: Final = (90, 75, 50)
"""JPEG qualities, tried until the event fits."""
LARGE_PIXELS: Final = 2**24
"""Of an image, as it is decoded, that takes 64 MB and more."""
_LARGE: Final = Lock()
_STRIP_PIXELS: Final = 2**20
WHOLE_COLOUR: Final = 320
"""Longest side, pixels, up to which colours keep their resolution: half of it would be less than the networks see."""
_DAMAGED: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Image.DecompressionBombError,
    struct.error,
    zlib.error,
)
"""What Pillow and its decoders raise on damaged files."""

warnings.filterwarnings("ignore", module=r"PIL\.")  # of large images, where our own limit is stricter, and of bad EXIF


class Normalised(NamedTuple):
    """An image event's value, and the capture time EXIF stated before it was dropped (naive where without a zone)."""

    jpeg: bytes
    width: int
    height: int
    captured_at: datetime | None


class Photograph(NamedTuple):
    """A decoded image at its full size, and the capture time EXIF stated (naive where it stated no zone)."""

    image: Image.Image
    captured_at: datetime | None


def as_is(data: bytes) -> Normalised | None:
    """The file itself, if it needs no change to be an image event's value; None otherwise.

    What it returns can be decoded and lacks no rows. Takes microseconds for most other files, and at most a few
    milliseconds: nothing larger than an event is looked at.
    """
    if len(data) > MAX_IMAGE_BYTES:
        return None
    size = baseline(data)
    if size is None or max(size) > MAX_SIDE or min(size) < MIN_SIDE or not decodes(data):
        return None
    return Normalised(data, *size, None)


def normalise(data: bytes) -> Normalised:
    """Turn an uploaded file into a JPEG of at most 512 px long side and 256 KiB, upright, sRGB, without metadata.

    A file that already is one (`as_is`) is passed on untouched. Raises NotAnImageError, TruncatedImageError or
    ImageTooLargeError.
    """
    if untouched := as_is(data):
        return untouched
    with _opened(data, scaled=True) as file:
        if file.jpeg:
            file.image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        with _memory(file.image):
            small = _shrunk(file.load())
        return _encoded(_upright(small, file))._replace(captured_at=file.exif.captured_at)


def decode(data: bytes) -> Photograph:
    """The whole image, upright and in sRGB, for cutting parts out of it. Raises as `normalise` does."""
    with _opened(data, scaled=False) as file:
        return Photograph(_upright(_continuous(file.load()), file), file.exif.captured_at)


def encode(rgb: Image.Image) -> Normalised:
    """A picture in memory, such as a video frame or a part of a photograph, as an image event's value.

    Raises NotAnImageError where it is too small.
    """
    _check_size(rgb)
    return _encoded(_shrunk(rgb))


@contextmanager
def _opened(data: bytes, *, scaled: bool) -> Iterator[ImageFile]:
    if len(data) > MAX_UPLOAD_BYTES:
        msg = f"the file has {len(data) / 2**20:.1f} MiB, {MAX_UPLOAD_BYTES // 2**20} are accepted"
        raise ImageTooLargeError(msg, "Send a smaller photograph.")
    try:
        file = open_image(data, scaled=scaled)
        with file.image:
            _check_size(file.image)
            yield file
    except _DAMAGED as error:
        reason = str(error).strip().removesuffix(".") or type(error).__name__
        msg = f"the image is incomplete or damaged: {reason}"
        raise TruncatedImageError(msg, "Copy or download it again; if it fails again, save it anew as JPEG.") from error


def _check_size(image: Image.Image) -> None:
    if min(_fitting(image.size)) < MIN_SIDE:
        msg = f"the image of {image.width} x {image.height} pixels is too small or too narrow"
        raise NotAnImageError(msg, f"Send one of at least {MIN_SIDE} pixels each side, also once shrunk to {MAX_SIDE}.")


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1, MAX_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _memory(image: Image.Image) -> AbstractContextManager[object]:
    """Hold it while an image is decoded; large ones are decoded one at a time, however many threads there are."""
    return _LARGE if image.width * image.height > LARGE_PIXELS else nullcontext()


def _shrunk(image: Image.Image) -> Image.Image:
    """An image of at most the longest side of an event, in a mode that colours can be converted from.

    Box averaging to about twice that side comes first, strip by strip, so that at full size nothing but the decoded
    image is in memory.
    """
    factor = max(1, int(max(image.size) / MAX_SIDE / 2))
    if factor > 1:
        image = _reduced(image, factor)
    image = _continuous(image)
    return image if max(image.size) <= MAX_SIDE else image.resize(_fitting(image.size), Image.Resampling.BILINEAR)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    rows = factor * max(1, _STRIP_PIXELS // (image.width * factor))
    strips = [
        _continuous(image.crop((0, top, image.width, min(top + rows, image.height)))).reduce(factor)
        for top in range(0, image.height, rows)
    ]
    reduced = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    top = 0
    for strip in strips:
        reduced.paste(strip, (0, top))
        top += strip.height
    return reduced


def _upright(image: Image.Image, file: ImageFile) -> Image.Image:
    turned = _flat(file.to_srgb(image))
    return turned if file.exif.turn is None else turned.transpose(file.exif.turn)


def _encoded(rgb: Image.Image) -> Normalised:
    subsampling = "4:4:4" if max(rgb.size) <= WHOLE_COLOUR else "4:2:0"
    for quality in QUALITIES:
        out = io.BytesIO()
        rgb.save(out, "JPEG", quality=quality, subsampling=subsampling, exif=b"", icc_profile=None, comment=b"")
        if out.tell() <= MAX_IMAGE_BYTES:
            break
    return Normalised(out.getvalue(), rgb.width, rgb.height, None)


def _continuous(image: Image.Image) -> Image.Image:
    """In a mode that can be resized: palettes are looked up, 16-bit greys become 8-bit."""
    if image.mode in {"I;16", "I;16B", "I;16L", "I", "F"}:
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if "transparency" in image.info or image.mode in {"PA", "RGBa", "La"}:
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode in {"1", "P"} else image


def _flat(image: Image.Image) -> Image.Image:
    """RGB, on white where the picture is transparent."""
    if image.mode in {"RGBA", "LA"}:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
