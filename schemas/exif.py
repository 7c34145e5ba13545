"""What EXIF says that an image event needs: which way is up, and when the image was taken.

Pillow reads all of EXIF or refuses it, and copies megabytes for tags nobody asks for; here three tags are looked up.
"""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

from PIL import Image

_MAX_ENTRIES: Final = 500
"""Of a directory; telephones write a few dozen."""
_MAX_TEXT_BYTES: Final = 64
_ORIENTATION: Final = 0x0112
_EXIF_DIRECTORY: Final = 0x8769
_DATE_TIME_ORIGINAL: Final = 0x9003
_OFFSET_TIME_ORIGINAL: Final = 0x9011
_SHORT, _LONG = 3, 4
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Exif(NamedTuple):
    """What was found. Damaged EXIF says nothing and is never a reason to refuse an image."""

    turn: Image.Transpose | None = None
    captured_at: datetime | None = None
    """Naive where EXIF states no zone."""

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Look up the tags in EXIF's TIFF structure, with or without the mark of a JPEG segment before it."""
        tiff = data.removeprefix(b"Exif\0\0")
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
        if order is None:
            return cls()
        main = _directory(tiff, order, int.from_bytes(tiff[4:8], "little" if order == "<" else "big"))
        inner = _directory(tiff, order, _number(main, _EXIF_DIRECTORY, order))
        taken, zone = (_text(tiff, inner, tag, order) for tag in (_DATE_TIME_ORIGINAL, _OFFSET_TIME_ORIGINAL))
        return cls(_TURNS.get(_number(main, _ORIENTATION, order)), _time(taken, zone))


_Entries = Mapping[int, tuple[int, int, bytes]]
"""Tag -> its type, how many values it has, and the four bytes that hold them or say where they are."""


def _directory(tiff: bytes, order: str, at: int) -> _Entries:
    entries: dict[int, tuple[int, int, bytes]] = {}
    if not 8 <= at <= len(tiff) - 2:
        return entries
    (count,) = struct.unpack_from(order + "H", tiff, at)
    for number in range(min(count, _MAX_ENTRIES, (len(tiff) - at - 2) // 12)):
        tag, kind, values, held = struct.unpack_from(order + "HHI4s", tiff, at + 2 + 12 * number)
        entries.setdefault(tag, (kind, values, held))
    return entries


def _number(entries: _Entries, tag: int, order: str) -> int:
    """The number a tag holds; 0 where it holds none."""
    kind, values, held = entries.get(tag, (0, 0, b""))
    if values != 1 or kind not in {_SHORT, _LONG}:
        return 0
    (number,) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), held)
    return int(number)


def _text(tiff: bytes, entries: _Entries, tag: int, order: str) -> str:
    _, length, held = entries.get(tag, (0, 0, bytes(4)))
    (at,) = struct.unpack(order + "I", held)
    text = held[:length] if length <= 4 else tiff[at : at + min(length, _MAX_TEXT_BYTES)]
    return text.decode("latin-1").strip("\0 ")


def _time(taken: str, zone: str) -> datetime | None:
    for text, form in ((taken + zone, "%Y:%m:%d %H:%M:%S%z"), (taken, "%Y:%m:%d %H:%M:%S")):
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007  EXIF often states no zone
            if found.tzinfo:
                found.astimezone(UTC)  # a time that has no equal in UTC is no time
        except (ValueError, OverflowError):
            continue
        return found
    return None
