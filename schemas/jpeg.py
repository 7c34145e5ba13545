"""Tells in microseconds, without decoding, whether a file already is what an image event carries.

Decoding a 256 px photograph costs as much as all the rest of its upload several times over. It would also find nothing
that this does not: an intact header and an end marker are all a decoder insists on; damage inside the entropy-coded
data it draws as best it can, without an error. Format: ITU-T T.81, annex B.
"""

import re
from typing import Final, NamedTuple

_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_JFIF, _QUANTISATION, _HUFFMAN, _RESTART, _BASELINE, _SCAN = 0xE0, 0xDB, 0xC4, 0xDD, 0xC0, 0xDA
_SEQUENTIAL: Final = frozenset({_BASELINE, 0xC1, 0xC9})
"""Frames that are sequential; the others are progressive, or nothing that is decoded here."""
_ALONE: Final = frozenset({0x01, 0xD8})
"""Markers that no length follows, besides those of the entropy-coded data."""
_PLAIN: Final = frozenset({_JFIF, _QUANTISATION, _HUFFMAN, _RESTART, _BASELINE, _SCAN})
"""Segments of a JPEG without metadata; APP0 counts only in the length it has without a thumbnail."""
_JFIF_LENGTH: Final = 16
_SCAN_OF_ALL: Final = b"\x00\x3f\x00"
"""Spectral selection and approximation of a scan that holds everything."""
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL)
"""In entropy-coded data 0xFF is followed by a stuffed zero or is a restart marker; anything else ends it."""


class Baseline(NamedTuple):
    """Size of a complete colour baseline JPEG of one scan without metadata, pixels."""

    width: int
    height: int


def baseline(data: bytes) -> Baseline | None:
    """Its size, or None if the file is anything else or is incomplete."""
    if data[:2] != _START or data[-2:] != _END:
        return None
    at, size, seen = 2, None, set()
    while len(data) - at > 4 and data[at] == 0xFF:
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


def scans(data: bytes) -> int:
    """How many scans the (first) picture of a JPEG file has: each costs the decoder a walk over every block.

    A sequential picture whose first scan holds all components, as cameras write it, is decoded no further: one.
    """
    at, number, components = len(_START), 0, None
    while (found := _MARKER.search(data, at)) and found[0] != _END:
        at, marker = found.end(), found[0][1]
        if marker == 0xFF:  # padding before a marker
            at -= 1
        elif marker not in _ALONE:
            if marker in _SEQUENTIAL:
                components = data[at + 7 : at + 8]
            elif marker == _SCAN:
                number += 1
                if number == 1 and data[at + 2 : at + 3] == components:
                    break
            at += max(2, int.from_bytes(data[at : at + 2]))
    return number


def _size(frame: bytes) -> Baseline | None:
    precision, height, width, components = frame[:1], frame[1:3], frame[3:5], frame[5:6]
    if precision != b"\x08" or components != b"\x03" or len(frame) != 15:
        return None
    return Baseline(int.from_bytes(width), int.from_bytes(height))
