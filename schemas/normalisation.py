"""What makes any upload an image event's value: a small upright JPEG in sRGB without metadata.

Shared by the API, bulk ingestion and evaluation, so that all of them show the models the same pixels.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from schemas.errors import ImageTooLargeError, NotAnImageError, TruncatedImageError
from schemas.jpeg import baseline, scans
from schemas.topics import MAX_IMAGE_BYTES

MAX_SIDE: Final = 512
"""Longest side of an image event, pixels: four times the networks' input, enough for a person to look at."""
MAX_UPLOAD_BYTES: Final = 10 * 1024 * 1024
MAX_PIXELS: Final = 50_000_000
MAX_SCANS: Final = 100
"""Of a progressive JPEG; encoders write about ten. A hundred bytes more are another scan, 40 ms at 50 megapixels."""
MIN_SIDE: Final = 32
"""Shortest side of an image event, pixels."""
QUALITIES: Final = (90, 75, 50)
"""JPEG qualities, tried until the event fits."""
WHOLE_COLOUR: Final = 320
"""Longest side, pixels, up to which colours keep their resolution: half of it would be less than the networks see."""
FORMATS: Final = ("JPEG", "PNG", "WEBP")
"""And HEIF, which is told apart by its `ftyp` box."""
_HEIC_STARTS: Final = {b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")}
_EXIF_IFD: Final = 0x8769
_DATE_TIME_ORIGINAL: Final = 0x9003
_OFFSET_TIME_ORIGINAL: Final = 0x9011
_DAMAGED: Final = (
    OSError,
    SyntaxError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    struct.error,
)
"""What Pillow and its decoders raise on damaged files."""

warnings.filterwarnings("ignore", module=r"PIL\.")  # of large images, where our own limit is stricter, and of bad EXIF


class Normalised(NamedTuple):
    """An image event's value, and the capture time EXIF told before it was dropped (naive where it told no zone)."""

    jpeg: bytes
    width: int
    height: int
    captured_at: datetime | None


class Photograph(NamedTuple):
    """A decoded photograph at its full size, and the capture time EXIF told (naive where it told no zone)."""

    image: Image.Image
    captured_at: datetime | None


def as_is(data: bytes) -> Normalised | None:
    """The file itself, if it needs no change to be an image event's value; None otherwise. Takes microseconds."""
    size = baseline(data)
    if size is None or len(data) > MAX_IMAGE_BYTES or max(size) > MAX_SIDE or min(size) < MIN_SIDE:
        return None
    return Normalised(data, *size, None)


def normalise(data: bytes) -> Normalised:
    """Turn an uploaded file into a JPEG of at most 512 px long side and 256 KiB, upright, sRGB, without metadata.

    A file that already is one (`as_is`) is passed on untouched. Raises NotAnImageError, TruncatedImageError or
    ImageTooLargeError.
    """
    if untouched := as_is(data):
        return untouched
    with _opened(data) as image:
        captured_at = _captured_at(image.getexif())
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        small = _shrunk(_continuous(image))
        return _encoded(_upright(small))._replace(captured_at=captured_at)


def decode(data: bytes) -> Photograph:
    """The whole photograph, upright and in sRGB, for cutting parts out of it. Raises as `normalise` does."""
    with _opened(data) as image:
        return Photograph(_upright(_continuous(image)), _captured_at(image.getexif()))


def encode(rgb: Image.Image) -> Normalised:
    """A picture in memory, such as a video frame or a part of a photograph, as an image event's value.

    Raises NotAnImageError where it is too small.
    """
    _check_size(rgb)
    return _encoded(_shrunk(rgb))


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    if len(data) > MAX_UPLOAD_BYTES:
        msg = f"the file has {len(data) / 2**20:.1f} MiB, {MAX_UPLOAD_BYTES // 2**20} are accepted"
        raise ImageTooLargeError(msg, "Send a smaller photograph.")
    try:
        with _open(data) as image:
            yield image
    except _DAMAGED as error:
        msg = f"the image can't be decoded: {error}"
        raise TruncatedImageError(msg, "Send the original file again.") from error


def _open(data: bytes) -> Image.Image:
    formats = _heif() if data[4:8] == b"ftyp" else FORMATS
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        if data[4:12] in _HEIC_STARTS:
            msg = "the HEIC file is incomplete or damaged"
            raise TruncatedImageError(msg, "Send the original file again.") from None
        msg = "the file is neither JPEG, PNG, WebP nor HEIC" if data else "the file is empty"
        raise NotAnImageError(msg, "Send a photograph in one of these formats.") from None
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(str(error), f"At most {MAX_PIXELS // 10**6} megapixels are accepted.") from None
    if image.width * image.height > MAX_PIXELS:
        msg = f"the image has {image.width * image.height / 1e6:.0f} megapixels"
        raise ImageTooLargeError(msg, f"At most {MAX_PIXELS // 10**6} megapixels are accepted.")
    _check_size(image)
    if image.format in {"JPEG", "MPO"} and (number := scans(data)) > MAX_SCANS:
        msg = f"the JPEG has {number} scans, at most {MAX_SCANS} are decoded"
        raise ImageTooLargeError(msg, "Save it again as an ordinary JPEG.")
    return image


def _check_size(image: Image.Image) -> None:
    if min(_fitting(image.size)) < MIN_SIDE:
        msg = f"the image of {image.width} x {image.height} pixels is too small or too narrow"
        raise NotAnImageError(msg, f"Send one of at least {MIN_SIDE} pixels each side, also once shrunk to {MAX_SIDE}.")


def _heif() -> tuple[str]:
    from pillow_heif import register_heif_opener  # noqa: PLC0415  30 ms that only HEIC uploads pay

    register_heif_opener(thumbnails=False)
    return ("HEIF",)


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1, MAX_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shrunk(image: Image.Image) -> Image.Image:
    if max(image.size) <= MAX_SIDE:
        return image
    return image.resize(_fitting(image.size), Image.Resampling.BILINEAR, reducing_gap=2.0)


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(_flat(_srgb(image)))


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
    if image.mode in {"1", "P", "PA"} or "transparency" in image.info:
        return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    image.load()
    return image


def _srgb(image: Image.Image) -> Image.Image:
    """In sRGB: telephones tag their photographs with wider colour spaces."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"RGB", "RGBA", "CMYK"}:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        mode = "RGB" if image.mode == "CMYK" else image.mode
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile tells nothing
    return converted or image


def _flat(image: Image.Image) -> Image.Image:
    """RGB, on white where the picture is transparent."""
    if image.mode in {"RGBA", "LA"}:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _captured_at(exif: Image.Exif) -> datetime | None:
    told = exif.get_ifd(_EXIF_IFD)
    text, zone = str(told.get(_DATE_TIME_ORIGINAL)).strip("\0 "), str(told.get(_OFFSET_TIME_ORIGINAL, "")).strip("\0 ")
    for full, form in ((text + zone, "%Y:%m:%d %H:%M:%S%z"), (text, "%Y:%m:%d %H:%M:%S")):
        try:
            told_at = datetime.strptime(full, form)  # noqa: DTZ007  EXIF often knows no zone
            if told_at.tzinfo:
                told_at.astimezone(UTC)  # a time that has no equal in UTC is no time
            return told_at
        except (ValueError, OverflowError):
            continue
    return None
