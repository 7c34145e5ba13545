"""The JPEG file, read marker by marker: what draws the picture, what is said about it, and whether all of it is there.

Format: ITU-T T.81, annex B. A walk looks at no more than MAX_SEGMENTS segments, whatever the bytes are.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.errors import ImageTooLargeError, NotAnImageError, TruncatedImageError

MAX_SEGMENTS: Final = 1000
"""Of one image: ICC profiles take up to 255 and ten megabytes of XMP 160, everything else a few dozen."""
MAX_PLAIN_SEGMENTS: Final = 16
"""Of an image without metadata: four quantisation tables, eight Huffman tables, and one each of the others."""
_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_JFIF, _QUANTISATION, _HUFFMAN, _RESTART, _BASELINE, _SCAN = 0xE0, 0xDB, 0xC4, 0xDD, 0xC0, 0xDA
_EXIF, _ICC, _ADOBE, _EOI, _ARITHMETIC = 0xE1, 0xE2, 0xEE, 0xD9, 0xCC
_SEQUENTIAL: Final = frozenset({_BASELINE, 0xC1, 0xC9})
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
_OTHER_FRAMES: Final = {
    **dict.fromkeys((0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF), "lossless or hierarchical"),
    0xF7: "JPEG-LS",
}
_FRAMES: Final = _SEQUENTIAL | _PROGRESSIVE | _OTHER_FRAMES.keys()
_ALONE: Final = frozenset({0x01, 0xD8})
"""Markers that no length follows, besides those of the entropy-coded data and the end."""
_PLAIN: Final = frozenset({_JFIF, _QUANTISATION, _HUFFMAN, _RESTART, _BASELINE, _SCAN})
"""Segments of a JPEG without metadata; APP0 counts only in the length it has without a thumbnail."""
_DRAWING: Final = frozenset({_QUANTISATION, _HUFFMAN, _RESTART, _ARITHMETIC, _SCAN}) | _SEQUENTIAL | _PROGRESSIVE
"""Segments the decoder needs."""
_MEANINGS: Final = {_JFIF: (b"JFIF\0", 14), _ADOBE: (b"Adobe", 12)}
"""Segments from which it takes what the components mean: how they begin, and how many bytes they have at least."""
_JFIF_LENGTH: Final = 16
_SCAN_OF_ALL: Final = b"\x00\x3f\x00"
"""Spectral selection and approximation of a scan that holds everything."""
_SAMPLING: Final = frozenset({b"\x11", b"\x12", b"\x21", b"\x22"})
"""Of luma, in units of the colours'. All decoders at all scales take these."""
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
"""In entropy-coded data 0xFF is followed by a stuffed zero or is a restart marker; anything else ends it."""
_WINDOW: Final = 256 * 1024
"""Bytes that are searched at a time, so that other threads get their turn."""


class Baseline(NamedTuple):
    """Size of a complete colour baseline JPEG of one scan without metadata, pixels."""

    width: int
    height: int


class Jpeg(NamedTuple):
    """The first image of a JPEG file."""

    data: bytes
    """A JPEG with its end marker and without metadata."""
    exif: bytes
    icc: bytes
    scans: int
    """Each costs the decoder a walk over every block."""
    progressive: bool
    ended: bool
    """Whether the file itself had the end marker."""


def baseline(data: bytes) -> Baseline | None:
    """Its size, or None if the file is anything else or has no end. Takes microseconds: only markers are read."""
    if data[:2] != _START or data[-2:] != _END:
        return None
    at, size, seen = 2, None, set()
    for _ in range(MAX_PLAIN_SEGMENTS):
        if len(data) - at <= 4 or data[at] != 0xFF:
            return None
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + length]
        if marker not in _PLAIN or (marker == _JFIF and length != _JFIF_LENGTH):
            return None
        seen.add(marker)
        at += 2 + length
        if marker == _BASELINE:
            size = _size(body)
        elif marker == _SCAN:
            if size is None or not {_QUANTISATION, _HUFFMAN} <= seen or body[:1] != b"\x03" or body[7:] != _SCAN_OF_ALL:
                return None
            end = _MARKER.search(data, at)
            return size if end and end.start() == len(data) - 2 else None
    return None


def read(data: bytes) -> Jpeg:
    """The first image of a file, as browsers find it: without an end marker too, and with anything behind it.

    A sequential image whose first scan holds all components, as cameras write it, ends with that scan. Raises
    TruncatedImageError, ImageTooLargeError, or NotAnImageError for the kinds of JPEG that browsers do not show.
    """
    scans, components, progressive, ended = 0, 0, False, False
    view, exif, icc = memoryview(data), b"", dict[int, bytes]()
    kept = [view[: len(_START)]]
    for marker, body, start, end in _segments(data):
        if marker == _EOI:
            ended = True
        elif marker in _FRAMES:
            _check_frame(marker, body)
            components, progressive = body[5], marker in _PROGRESSIVE
        elif marker == _SCAN:
            scans += 1
        elif marker == _EXIF and body[:6] == b"Exif\0\0":
            exif = exif or body[6:]
        elif marker == _ICC and body[:12] == b"ICC_PROFILE\0" and len(body) > 14:
            icc.setdefault(body[12], body[14:])
        if marker in _DRAWING or _is_meaning(marker, body):
            kept.append(view[start:end])
        if marker == _SCAN and scans == 1 and not progressive and body[:1] == bytes((components,)):
            ended = data[end : end + 2] == _END
            break
    if not scans:
        msg = "the JPEG ends before its image data begins"
        raise TruncatedImageError(msg, "Copy or download it again, or take another photograph.")
    profile = b"".join(icc[number] for number in sorted(icc))
    return Jpeg(b"".join((*kept, _END)), exif, profile, scans, progressive, ended)


def _segments(data: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Each segment's marker, body, and where it begins and ends, of a scan with the entropy-coded data.

    Raises ImageTooLargeError.
    """
    at = len(_START)
    for _ in range(MAX_SEGMENTS):
        start = _next_marker(data, at)
        if start is None:
            return
        marker, at = data[start + 1], start + 2
        if marker == _EOI:
            yield marker, b"", start, at
            return
        if marker in _ALONE:
            continue
        length = max(2, int.from_bytes(data[at : at + 2]))
        body, at = data[at + 2 : at + length], at + length
        if at > len(data):
            return
        if marker == _SCAN:
            end = _next_marker(data, at)
            at = len(data) - (data[-1] == 0xFF) if end is None else end
        yield marker, body, start, at
    msg = f"the JPEG has more than {MAX_SEGMENTS} segments"
    raise ImageTooLargeError(msg, "Save it again as an ordinary JPEG.")


def _next_marker(data: bytes, at: int) -> int | None:
    while at < len(data):
        if found := _MARKER.search(data, at, at + _WINDOW + 1):
            return found.start()
        at += _WINDOW
    return None


def _is_meaning(marker: int, body: bytes) -> bool:
    start, length = _MEANINGS.get(marker, (b"", 0))
    return length > 0 and len(body) >= length and body.startswith(start)


def _check_frame(marker: int, body: bytes) -> None:
    kind = _OTHER_FRAMES.get(marker)
    if kind is None and len(body) > 5 and body[0] != 8:
        kind = f"{body[0]}-bit"
    if kind:
        msg = f"this is a {kind} JPEG, which browsers and most programs do not show"
        raise NotAnImageError(msg, "Save it as an ordinary JPEG with 8 bits a channel.")
    if len(body) < 6:
        msg = "the JPEG's header is damaged"
        raise TruncatedImageError(msg, "Copy or download it again, or take another photograph.")


def _size(frame: bytes) -> Baseline | None:
    """Of a frame whose three components have a sampling that every decoder takes at every scale."""
    precision, height, width, components = frame[:1], frame[1:3], frame[3:5], frame[5:6]
    if precision != b"\x08" or components != b"\x03" or len(frame) != 15:
        return None
    if frame[7:8] not in _SAMPLING or frame[10:11] != b"\x11" or frame[13:14] != b"\x11":
        return None
    return Baseline(int.from_bytes(width), int.from_bytes(height))
