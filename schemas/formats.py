"""Which format a file has, by its first bytes: the name Pillow opens it under, or why it is not accepted."""

import re
from collections.abc import Iterable
from typing import Final

from schemas.errors import NotAnImageError

ACCEPTED: Final = "JPEG, PNG, WebP, HEIC, AVIF, GIF and BMP"
_OPENED: Final = ((b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF8", "GIF"))
_BMP_HEADERS: Final = {12, 40, 52, 56, 64, 108, 124}
"""Sizes, bytes: the two letters before are the beginning of many a text."""
_SAVE: Final = "Save or export it as JPEG or PNG, and send that."
_IMAGES: Final = (
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image", _SAVE),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image", _SAVE),
    (
        rb"II\*\0.{4}CR|IIU\0|II\x1a\0\0\0HEAPCCDR|IIR[OS]|MMOR|FUJIFILMCCD-RAW|\0MRM|FOVb",
        "a camera's RAW file",
        "Send the JPEG that the camera writes beside it, or develop it to JPEG first.",
    ),
    (rb"II[*+]\0|MM\0[*+]", "a TIFF image or a camera's RAW file (DNG, NEF, ARW)", _SAVE),
    (rb"8BPS", "a Photoshop document", _SAVE),
    (rb"gimp xcf", "a GIMP document", _SAVE),
    (rb"\0\0[\1\2]\0[^\0]\0", "an icon", _SAVE),
    (rb"DDS |qoif|P[1-7]\s|#\?RADIANCE|v/1\x01|\x89[MJ]NG\r\n", "an image that browsers do not show", _SAVE),
)
_NO_IMAGES: Final = (
    (rb"%PDF", "a PDF document", "Send the image itself, as JPEG or PNG."),
    (
        rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg",
        "an SVG drawing",
        "Send a photograph of a leaf.",
    ),
    (
        rb"\s*(?:<!doctype|<html|<head|<\?xml)",
        "a web page, not the image on it",
        "Open the image alone, save it and send that.",
    ),
    (rb"PK\x03\x04", "a zip archive", "Unpack it and send the images in it, or ingest it with `leaf ingest`."),
    (rb"Rar!|7z\xbc\xaf|\x1f\x8b", "an archive", "Unpack it and send the images in it."),
    (rb"\x1aE\xdf\xa3|RIFF.{4}AVI ", "a video", "Send a photograph, or ingest the video with `leaf ingest`."),
    (rb"\0{16}", "empty: it holds zeros where an image should be", "Copy or download it again."),
)


def _compiled(kinds: Iterable[tuple[bytes, str, str]]) -> tuple[tuple[re.Pattern[bytes], str, str], ...]:
    return tuple((re.compile(start, re.DOTALL | re.IGNORECASE), what, remedy) for start, what, remedy in kinds)


_STILL: Final = _compiled(_IMAGES)
_OTHER: Final = _STILL + _compiled(_NO_IMAGES)
_SNIFFED: Final = 512
"""Bytes that are looked at."""
_STILL_BRANDS: Final = {
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"mif1", b"mif2", b"msf1", b"miaf", b"avif", b"avis"),
}
_RAW_BRAND: Final = b"crx "
_AVIF: Final = {b"avif", b"avis"}
_HEADER_BYTES: Final = 4096
"""Of a HEIF file in which its codec is named."""


def sniff(data: bytes) -> str:
    """The name Pillow opens the file under. Raises NotAnImageError, which names the format where it is known."""
    start = data[:_SNIFFED]
    if name := _opened(start):
        return name
    if start[4:8] == b"ftyp":
        return _by_brand(start, data)
    if not data:
        msg = "the file is empty"
        raise NotAnImageError(msg, "Choose the image again; if it is stored in a cloud, download it first.")
    for pattern, what, remedy in _OTHER:
        if pattern.match(start):
            msg = f"the file is {what}"
            raise NotAnImageError(msg, f"{remedy} Accepted are {ACCEPTED}.")
    msg = "the file is no image in a format that is accepted"
    raise NotAnImageError(msg, f"Send {ACCEPTED.replace(' and ', ' or ')}.")


def is_still(start: bytes) -> bool:
    """Whether a file that begins with these bytes is an image, accepted or not: no video, archive or document."""
    if start[4:8] == b"ftyp":
        return not (_STILL_BRANDS | {_RAW_BRAND}).isdisjoint(_brands(start))
    return bool(_opened(start)) or any(pattern.match(start) for pattern, _, _ in _STILL)


def _opened(start: bytes) -> str | None:
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if start[:2] == b"BM":
        return "BMP" if int.from_bytes(start[14:18], "little") in _BMP_HEADERS else None
    return next((name for magic, name in _OPENED if start.startswith(magic)), None)


def _by_brand(start: bytes, data: bytes) -> str:
    """Of a file of boxes (ISO 14496-12): the brands in its first box say what is in it."""
    brands = _brands(start)
    if brands[0] == _RAW_BRAND:
        msg, remedy = "the file is a camera's RAW file (CR3)", "Send the JPEG that the camera writes beside it."
        raise NotAnImageError(msg, remedy)
    if _STILL_BRANDS.isdisjoint(brands):
        msg, remedy = "the file is a video", "Send a photograph, or ingest the video with `leaf ingest`."
        raise NotAnImageError(msg, remedy)
    if brands[0].startswith(b"he"):
        return "HEIF"
    return "AVIF" if _AVIF & set(brands) or b"av01" in data[:_HEADER_BYTES] else "HEIF"


def _brands(start: bytes) -> list[bytes]:
    size = min(int.from_bytes(start[:4]), len(start))
    return [start[8:12], *(start[at : at + 4] for at in range(16, size - 3, 4))]
