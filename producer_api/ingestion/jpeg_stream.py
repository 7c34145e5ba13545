"""JPEGs in a stream of bytes, whatever stands between them."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.normalisation import MAX_UPLOAD_BYTES

_START: Final = b"\xff\xd8\xff"
_END: Final = b"\xff\xd9"
_START_OF_SCAN: Final = 0xDA
_NO_SEGMENT: Final = frozenset({0x00, 0xD8})
"""After 0xFF, what can't be the next segment: a stuffed byte, another image's start."""
LONGEST_HEADERS: Final = 8 * 1024
"""Between two JPEGs, bytes."""
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers that no length follows, besides start and end."""
_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
"""Ends entropy-coded data: there 0xFF is followed by a stuffed zero or is a restart marker (ITU-T T.81, B.1.1.5)."""
_LINE: Final = re.compile(rb"^[ -~]{4,200}(?=\r?\n)", re.MULTILINE)


class Part(NamedTuple):
    """One JPEG."""

    data: bytes
    whole: bool
    """Whether it has its end."""


class JpegStream:
    """Cuts a multipart stream, or JPEGs one after the other, into JPEGs.

    A JPEG goes from its start marker to its end marker, which is found by walking over its segments, so that a preview
    inside of it ends nothing. One that is damaged ends where the next part begins: at the line that stood before the
    JPEG (the part's boundary, whatever the headers call it), or at another start marker.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._boundary: bytes | None = None
        self._at = 0
        """How far the JPEG at the beginning of the data is walked over; 0: none has begun."""
        self._in_scan = self._damaged = False
        self.unlike = 0
        """Bytes since the last JPEG that belong to none."""

    def feed(self, data: bytes) -> Iterator[Part]:
        """The JPEGs that end with these bytes; one that is too large comes as no bytes."""
        self._data += data
        while self._at or self._begins():
            end = self._end()
            broken_off = self._next_part(len(self._data) if end is None else end)
            if broken_off is not None:
                yield Part(self._take(broken_off), whole=False)
            elif end is not None:
                yield Part(self._take(end), whole=True)
            elif len(self._data) > MAX_UPLOAD_BYTES:
                self._take(len(self._data))
                yield Part(b"", whole=False)
            else:
                return

    def end(self) -> Part | None:
        """What is left at the end of the stream: a JPEG without its end, or bytes that are none."""
        data = self._take(len(self._data))
        return Part(data, whole=False) if data else None

    def _begins(self) -> bool:
        start = self._data.find(_START)
        gap = start if start >= 0 else max(0, len(self._data) - LONGEST_HEADERS)
        self.unlike += gap
        if start < 0:
            del self._data[:gap]
            return False
        line = _LINE.search(self._data, 0, start)
        self._boundary = bytes(line[0]) if line else None
        del self._data[:start]
        self._at, self._in_scan, self._damaged, self.unlike = len(_START) - 1, False, False, 0
        return True

    def _end(self) -> int | None:
        """Walk on over the segments; where the JPEG ends, if that is reached."""
        while not self._damaged:
            if self._in_scan:
                found = _MARKER.search(self._data, self._at)
                self._at = found.start() if found else max(self._at, len(self._data) - 1)
                self._in_scan = not found
            head = self._data[self._at : self._at + 4]
            if self._in_scan or len(head) < 2:
                return None
            if head[:2] == _END:
                return self._at + 2
            if head[0] != 0xFF or head[1] in _NO_SEGMENT:
                self._damaged = True
            elif head[1] == 0xFF:  # padding
                self._at += 1
            elif head[1] in _ALONE:
                self._at += 2
            else:
                after = self._at + 2 + max(2, int.from_bytes(head[2:]))
                if len(head) < 4 or after > len(self._data):
                    return None
                self._in_scan = head[1] == _START_OF_SCAN
                self._at = after
        return None

    def _next_part(self, limit: int) -> int | None:
        """Where before `limit` something else begins, and the JPEG is incomplete."""
        found = [self._data.find(self._boundary, 2, limit)] if self._boundary else []
        found += [self._data.find(_START, self._at, limit)] if self._damaged else []
        return min((at for at in found if at >= 0), default=None)

    def _take(self, end: int) -> bytes:
        data = bytes(self._data[:end])
        del self._data[:end]
        self._at = 0
        return data
