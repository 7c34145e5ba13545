"""What makes any upload an image event's value: a small upright JPEG without metadata.

Shared by the API, bulk ingestion and evaluation, so that all of them show the models the same pixels.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from schemas.errors import ImageTooLargeError, NotAnImageError, TruncatedImageError
from schemas.topics import MAX_IMAGE_BYTES

MAX_SIDE: Final = 512
"""Longest side of an image event, pixels: four times the networks' input, enough for a person to look at."""
MAX_UPLOAD_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 50_000_000
MIN_SIDE: Final = 32
QUALITY: Final = 90
FORMATS: Final = ("JPEG", "PNG", "WEBP", "HEIF")
_ORIENTATION: Final = 0x0112
_EXIF_IFD: Final = 0x8769
_DATE_TIME_ORIGINAL: Final = 0x9003


class Normalised(NamedTuple):
    """An image event's value, and the local capture time EXIF told (naive, if any) before it was dropped."""

    jpeg: bytes
    width: int
    height: int
    captured_at: datetime | None


class Photograph(NamedTuple):
    """A decoded photograph at its full size, and the local capture time EXIF told (naive, if any)."""

    image: Image.Image
    captured_at: datetime | None


def normalise(data: bytes) -> Normalised:
    """Turn an uploaded file into a JPEG of at most 512 px long side and 256 KiB, upright, without EXIF.

    A baseline JPEG that already fits is decoded once to verify it and passed on untouched. Raises NotAnImageError,
    TruncatedImageError or ImageTooLargeError.
    """
    with _opened(data) as image:
        return _normalise(image, data)


def decode(data: bytes) -> Photograph:
    """The whole photograph, upright and in RGB, for cutting parts out of it. Raises as `normalise` does."""
    with _opened(data) as image:
        captured_at = _captured_at(image.getexif())
        image.load()
        return Photograph(_flatten(ImageOps.exif_transpose(image)), captured_at)


def encode(rgb: Image.Image) -> Normalised:
    """A picture in memory, such as a video frame or a part of a photograph, as an image event's value.

    Raises NotAnImageError where it is too small.
    """
    _check_size(rgb)
    if max(rgb.size) > MAX_SIDE:
        scale = MAX_SIDE / max(rgb.size)
        size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
        rgb = rgb.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    for quality in (QUALITY, 75, 50):
        out = io.BytesIO()
        rgb.save(out, "JPEG", quality=quality)
        if out.tell() <= MAX_IMAGE_BYTES:
            break
    return Normalised(out.getvalue(), rgb.width, rgb.height, None)


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    if len(data) > MAX_UPLOAD_BYTES:
        msg = f"the file has {len(data) / 2**20:.1f} MiB, {MAX_UPLOAD_BYTES // 2**20} are accepted"
        raise ImageTooLargeError(msg, "Send a smaller photograph.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own bomb warning: the limit below is stricter
        try:
            with _open(data) as image:
                yield image
        except (OSError, SyntaxError, ValueError, IndexError) as error:
            msg = f"the image can't be decoded: {error}"
            raise TruncatedImageError(msg, "Send the original file again.") from error


def _open(data: bytes) -> Image.Image:
    if data[4:8] == b"ftyp":
        _register_heif()
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        msg = "the file is neither JPEG, PNG, WebP nor HEIC" if data else "the file is empty"
        raise NotAnImageError(msg, "Send a photograph in one of these formats.") from None
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(str(error), f"At most {MAX_PIXELS // 10**6} megapixels are accepted.") from None
    if image.width * image.height > MAX_PIXELS:
        msg = f"the image has {image.width * image.height / 1e6:.0f} megapixels"
        raise ImageTooLargeError(msg, f"At most {MAX_PIXELS // 10**6} megapixels are accepted.")
    _check_size(image)
    return image


def _check_size(image: Image.Image) -> None:
    if min(image.size) < MIN_SIDE:
        msg = f"the image is only {image.width} x {image.height} pixels"
        raise NotAnImageError(msg, f"Send a photograph of at least {MIN_SIDE} pixels each side.")


def _register_heif() -> None:
    from pillow_heif import register_heif_opener  # noqa: PLC0415  30 ms that only HEIC uploads pay

    register_heif_opener()


def _normalise(image: Image.Image, data: bytes) -> Normalised:
    exif = image.getexif()
    captured_at = _captured_at(exif)
    fits = (
        image.format == "JPEG"
        and image.mode == "RGB"
        and max(image.size) <= MAX_SIDE
        and len(data) <= MAX_IMAGE_BYTES
        and not exif
        and not {"progressive", "exif", "icc_profile", "comment", "photoshop", "adobe", "mp"} & image.info.keys()
    )
    if fits:
        image.load()
        return Normalised(data, image.width, image.height, None)
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))
    image.load()
    upright = ImageOps.exif_transpose(image) if exif.get(_ORIENTATION, 1) != 1 else image
    return encode(_flatten(upright))._replace(captured_at=captured_at)


def _flatten(image: Image.Image) -> Image.Image:
    """RGB on white where the picture is transparent."""
    if image.mode == "RGB":
        return image
    if image.mode in {"I;16", "I", "F"}:
        return image.point(lambda value: value / 256).convert("RGB")
    if "transparency" in image.info or image.mode in {"RGBA", "LA", "PA"}:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _captured_at(exif: Image.Exif) -> datetime | None:
    text = exif.get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL)
    try:
        return datetime.strptime(str(text), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007  EXIF knows no zone
    except ValueError:
        return None
