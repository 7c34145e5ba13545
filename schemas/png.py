"""The PNG file, read chunk by chunk: what draws the picture, and what is said about its colours and its orientation.

Format: W3C's Portable Network Graphics, third edition. A walk looks at no more than MAX_CHUNKS chunks.
"""

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.errors import ImageTooLargeError, TruncatedImageError

MAX_CHUNKS: Final = 5000
"""Of one image: encoders write image data in chunks of 8 KiB and more."""
START: Final = b"\x89PNG\r\n\x1a\n"
_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
_DRAWING: Final = frozenset({b"IHDR", b"PLTE", b"tRNS"})
_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT"})
_SAID: Final = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf"})
_MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024
_AGAIN: Final = "Copy or download it again, or save it anew."


class Png(NamedTuple):
    """The (first) image of a PNG file."""

    data: bytes
    """A PNG without metadata, its image data in one chunk."""
    said: dict[bytes, bytes]
    """Chunk -> its bytes: cICP, iCCP, sRGB, gAMA, cHRM and eXIf where the file has them."""

    @property
    def icc(self) -> bytes:
        """The colour profile, unpacked; empty where there is none or it is damaged."""
        name, _, packed = self.said.get(b"iCCP", b"").partition(b"\0")
        try:
            return zlib.decompressobj().decompress(packed[1:], _MAX_PROFILE_BYTES) if name else b""
        except zlib.error:
            return b""


def read(data: bytes) -> Png:
    """The image of a PNG file, as browsers find it: without its end or with anything behind it.

    Damaged metadata is ignored. Of an animation it is the first frame that fills it, also where the image data holds
    another picture, for viewers that show no animations. Raises TruncatedImageError or ImageTooLargeError.
    """
    view = memoryview(data)
    kept, pixels, said = [view[: len(START)]], list[memoryview](), dict[bytes, bytes]()
    frames, first, hidden = 0, list[memoryview](), False
    for kind, at, end in _chunks(data):
        intact = end + 4 > len(data) or zlib.crc32(view[at - 4 : end]) == int.from_bytes(view[end : end + 4])
        if kind in _CRITICAL and not intact:
            msg = f"the PNG is damaged: the checksum of its {kind.decode()} chunk is wrong"
            raise TruncatedImageError(msg, _AGAIN)
        if kind == b"IDAT":
            pixels.append(view[at:end])
        elif kind == b"fcTL":
            frames += 1
            hidden = hidden or (frames == 1 and bool(pixels) and data[at + 4 : at + 12] == bytes(kept[1][8:16]))
        elif kind == b"fdAT" and frames == 1:
            first.append(view[at + 4 : end])
        elif kind in _DRAWING and intact:
            kept.append(view[at - 8 : end + 4])
        elif kind in _SAID and intact:
            said.setdefault(kind, bytes(view[at:end]))
    if len(kept) == 1 or not pixels:
        msg = "the PNG ends before its image data begins"
        raise TruncatedImageError(msg, _AGAIN)
    drawn = b"".join((b"IDAT", *(first if hidden and first else pixels)))
    length, checksum = (len(drawn) - 4).to_bytes(4), zlib.crc32(drawn).to_bytes(4)
    return Png(b"".join((*kept, length, drawn, checksum, _END)), said)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's kind, and where its bytes begin and end. Raises ImageTooLargeError.

    The last one may be cut: whether rows are missing then, the decoder says.
    """
    at = len(START)
    for _ in range(MAX_CHUNKS):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if kind == b"IEND" or len(kind) < 4:
            return
        yield kind, at + 8, min(at + 8 + length, len(data))
        at += 12 + length
    msg = f"the PNG has more than {MAX_CHUNKS} chunks"
    raise ImageTooLargeError(msg, "Save it again as an ordinary PNG or JPEG.")
